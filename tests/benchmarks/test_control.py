import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from fewstain.dataset import Window
from fewstain.images.write import write_labels

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def control():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("control")
    finally:
        sys.path.pop(0)


def test_every_so_many_th_is_held_out_and_no_other(control):
    windows = tuple(Window(name, Path(name), Path(name), 0, 0) for name in "abcdefg")
    train, test = control.held_out(windows, 3)
    assert [window.name for window in test] == ["a", "d", "g"]
    assert [window.name for window in train] == ["b", "c", "e", "f"]


def test_the_middle_of_a_mask_is_cut(control, tmp_path):
    labels = np.arange(30, dtype=np.uint16).reshape(5, 6)
    write_labels(tmp_path / "a.tif", labels)
    cut, (rows, columns) = control.central(Window("a", Path("a"), tmp_path / "a.tif", 0, 0), 2)
    np.testing.assert_array_equal(cut, [[8, 9], [14, 15]])
    np.testing.assert_array_equal(cut, labels[rows, columns])
    with pytest.raises(SystemExit, match="smaller than 6 pixels"):
        control.central(Window("a", Path("a"), tmp_path / "a.tif", 0, 0), 6)


def test_what_is_segmented_is_scored_against_layouts(control):
    layout = np.zeros((8, 8), int)
    layout[1:5, 1:5] = 1
    model = SimpleNamespace(segment=lambda image: SimpleNamespace(labels=(image[..., 0] > 0).astype(int)))
    right = (layout > 0).astype(np.uint8)[..., None]
    assert control.scored(model, [right], [layout])["PQ"] == 1
    scores = control.scored(model, [right, right * 0], [layout, layout])
    assert (scores["AP50"], scores["n_objects"], scores["n_predicted"]) == (0.5, 2, 1)
