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


def pool(tmp_path, sides):
    paths = [tmp_path / f"{number}.tif" for number in range(len(sides))]
    for path, (height, width) in zip(paths, sides, strict=True):
        tifffile.imwrite(path, np.zeros((height, width), np.uint8))
    return paths


def counts(images, n, **given):
    return [len(windows) for _, _, windows in windows_of(images, n, 8, **given)]


def test_large_pools_give_no_more_windows_than_the_most_evenly_over_their_images(tmp_path, monkeypatch):
    monkeypatch.setattr("fewstain.suggest.windows.MOST_WINDOWS", 20)
    images = pool(tmp_path, [(48, 48)] * 6 + [(8, 16)])  # six of 36 windows, one of 2
    assert counts(images, 10)[6] == 2
    assert sorted(counts(images, 10)[:6]) == [3] * 6
    assert sum(counts(images, 30)) == 30  # so many are wanted
    assert sorted(counts(images, 30)[:6]) == [4, 4, 5, 5, 5, 5]


def test_of_more_images_than_windows_the_seed_draws_some(tmp_path, monkeypatch):
    monkeypatch.setattr("fewstain.suggest.windows.MOST_WINDOWS", 5)
    images = pool(tmp_path, [(16, 16)] * 12)
    drawn = [counts(images, 3, seed=seed) for seed in range(4)]
    assert all(sorted(each) == [0] * 7 + [1] * 5 for each in drawn)
    assert len({tuple(each) for each in drawn}) > 1
    assert counts(images, 3, seed=2) == drawn[2]


def test_small_pools_are_looked_at_as_ever(tmp_path, monkeypatch):
    monkeypatch.setattr("fewstain.suggest.windows.MOST_WINDOWS", 40)
    images = pool(tmp_path, [(48, 48), (8, 16), (16, 16)])  # 36, 2 and 4 windows
    found = list(windows_of(images, 5, 8, seed=3))
    assert [len(windows) for _, _, windows in found] == [13, 2, 4]
    drawn = sorted(np.random.default_rng(3).choice(36, 13, replace=False))
    assert [(window.y // 8) * 6 + window.x // 8 for window in found[0][2]] == drawn
