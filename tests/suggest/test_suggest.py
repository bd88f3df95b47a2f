import numpy as np
import tifffile

from fewstain.dataset import open_dataset
from fewstain.images.write import write_labels
from fewstain.suggest import Suggestion, labeled_windows, suggest_windows
from fewstain.suggest.windows import windows_of


def test_windows_that_look_different_are_chosen(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 20, (64, 96)).astype(np.uint8)
    pixels[:32, :32] += 200  # bright
    pixels[32:, 64:] += rng.integers(0, 200, (32, 32)).astype(np.uint8)  # rough
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    chosen = suggest_windows([tmp_path / "a.tif"], n=3, size=32)
    assert {"a__y0_x0", "a__y32_x64"} < {window.name for window in chosen}
    assert len(chosen) == 3
    assert suggest_windows([tmp_path / "a.tif"], n=3, size=32) == chosen


def test_small_and_equal_images_give_fewer(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 100), np.uint8))
    assert len(suggest_windows([tmp_path / "a.tif"], n=5, size=64)) == 1
    assert len(suggest_windows([tmp_path / "a.tif"], n=2, size=20)) == 1
    assert suggest_windows([], n=2) == []


def test_labeled_windows_are_avoided(tmp_path):
    (tmp_path / "images").mkdir()
    tifffile.imwrite(tmp_path / "images" / "a.tif", np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
    write_labels(tmp_path / "labels" / "a__y40_x2.tif", np.ones((20, 20), int))
    labeled = labeled_windows(open_dataset(tmp_path))
    assert [(window.y, window.x, window.size) for window in labeled] == [(40, 2, 20)]
    chosen = suggest_windows([tmp_path / "images" / "a.tif"], n=4, size=32, avoid=labeled)
    assert {(window.y, window.x) for window in chosen} == {(0, 0), (0, 32), (32, 32)}


def test_windows_overlap_when_they_share_pixels(tmp_path):
    window = Suggestion("a", tmp_path / "a.tif", 0, 0, 32)
    assert window.overlaps(Suggestion("b", tmp_path / "a.tif", 31, 31, 32))
    assert not window.overlaps(Suggestion("b", tmp_path / "a.tif", 32, 0, 32))
    assert not window.overlaps(Suggestion("b", tmp_path / "b.tif", 0, 0, 32))


def test_windows_reach_the_images_edges(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.arange(40 * 72, dtype=np.uint16).reshape(40, 72))
    ((_, _, windows),) = windows_of([tmp_path / "a.tif"], 9, 32)
    assert [(window.y, window.x) for window in windows] == [(0, 0), (0, 40)]
