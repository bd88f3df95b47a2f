import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from fewstain.errors import UserError
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.held_out import read_held_out, save_held_out
from fewstain.pixels.labeled_window import label_window
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.views import held_out_views


def window(name):
    labels = np.zeros((24, 24), np.int32)
    labels[4:12, 6:14] = 1
    return label_window(np.where(labels > 0, 0.5, -0.5)[None].astype(np.float32), labels, (0, 0), name, name, 1)


WINDOWS = [window("a"), window("b")]


def maps_of(value):
    return PixelMaps(torch.full((1, 3, 24, 24), value), torch.full((1, 24, 24), value), torch.full((1, 24, 24), 0.25))


@pytest.fixture
def file(tmp_path):
    views = held_out_views(WINDOWS, 2, seed=7)
    held_out = HeldOutMaps(
        WINDOWS, [maps_of(0.0), maps_of(0.5)], views, [maps_of(each) for each in (1.0, 1.5, 2.0, 2.5)]
    )
    save_held_out(tmp_path / "held-out.safetensors", held_out)
    return tmp_path / "held-out.safetensors"


def test_maps_are_read_as_written_with_the_views_they_were_of(file):
    read = read_held_out(file, WINDOWS, seed=7)
    assert [float(each.distance[0, 0, 0]) for each in (*read.maps, *read.view_maps)] == [0, 0.5, 1, 1.5, 2, 2.5]
    assert read.maps[0].probabilities.shape == (1, 3, 24, 24)
    assert float(read.maps[0].uncertainty.min()) == 0.25
    for view, again in zip(read.views, held_out_views(WINDOWS, 2, seed=7), strict=True):
        assert_array_equal(view.labels, again.labels)
        assert torch.equal(view.image, again.image)


def test_views_are_of_the_windows_in_turn():
    assert [view.name for view in held_out_views(WINDOWS, 2, seed=7)] == ["a", "b", "a", "b"]
    assert not torch.equal(held_out_views(WINDOWS, 1, seed=7)[0].image, held_out_views(WINDOWS, 1, seed=8)[0].image)


def test_other_windows_are_refused(file):
    with pytest.raises(UserError, match=r"labels have changed since the pixels were fitted \(c\)"):
        read_held_out(file, [WINDOWS[0], WINDOWS[1], window("c")], seed=7)


def test_a_missing_or_damaged_file_is_told(file):
    with pytest.raises(UserError, match="no such file; run fit-pixels again"):
        read_held_out(file.with_name("other.safetensors"), WINDOWS, seed=7)
    file.write_bytes(b"damaged")
    with pytest.raises(UserError, match=r"damaged .*run fit-pixels again"):
        read_held_out(file, WINDOWS, seed=7)
