import numpy as np
import tifffile

from fewstain.suggest import suggest_windows


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
