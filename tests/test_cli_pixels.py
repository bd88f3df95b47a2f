"""Which image files `fewstain segment` takes from its arguments."""

from types import SimpleNamespace

import numpy as np
import pytest

from fewstain.cli import run as cli
from fewstain.images.write import write_image


@pytest.fixture
def folder(tmp_path):
    """Two images in im/."""
    for name in ("a0", "a1"):
        write_image(tmp_path / "im" / f"{name}.tif", np.zeros((8, 8), np.uint8))
    return tmp_path / "im"


@pytest.fixture
def segmented(monkeypatch, tmp_path):
    """Give a function that calls the verb on files and folders, and returns what it would segment."""
    seen = []
    monkeypatch.setattr("fewstain.pairs.opening.load", lambda *args, **kwargs: SimpleNamespace())
    monkeypatch.setattr("fewstain.pixels.update.update_files", lambda *args, **kwargs: seen.append(args[1]) or 0)

    def segment(*given):
        assert cli.run(["segment", str(tmp_path), *map(str, given), "--out", str(tmp_path / "out")]) == 0
        return seen.pop()

    return segment


def test_an_image_that_is_given_twice_is_segmented_once(folder, segmented, monkeypatch):
    first, second = folder / "a0.tif", folder / "a1.tif"
    assert segmented(folder, first) == [first, second]
    assert segmented(second, folder) == [second, first]
    monkeypatch.chdir(folder)
    assert segmented(first, "a0.tif", "../im/a0.tif") == [first]


def test_a_link_is_the_image_unless_it_has_a_name_of_its_own(folder, segmented, tmp_path):
    same, other = tmp_path / "a0.tif", tmp_path / "b.tif"
    for link in (same, other):
        link.symlink_to(folder / "a0.tif")
    assert segmented(folder / "a0.tif", same, other) == [folder / "a0.tif", other]


def test_two_images_of_one_name_are_left_to_be_refused(folder, segmented, tmp_path):
    other = tmp_path / "a0.tif"
    write_image(other, np.ones((8, 8), np.uint8))
    assert segmented(folder / "a0.tif", other) == [folder / "a0.tif", other]
