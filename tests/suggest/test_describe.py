import numpy as np
import pytest

from fewstain.suggest.describe import Looks, content
from fewstain.suggest.windows import Suggestion


def windows(tmp_path, *corners, size=16):
    return [Suggestion(f"a__y{y}_x{x}", tmp_path / "a.tif", y, x, size) for y, x in corners]


def test_looks_are_percentiles_and_slope_of_each_channel(tmp_path):
    ramp = np.tile(np.arange(0, 32, dtype=np.uint8), (16, 1))
    pixels = np.stack([ramp, np.full_like(ramp, 7)], axis=-1)
    (looks,) = Looks()(pixels, windows(tmp_path, (0, 0), size=32))
    assert looks.shape == (8,)
    assert looks[2] == pytest.approx(0, abs=0.05)  # the ramp's median: the middle of its range
    assert looks[6] == pytest.approx(2 / 31, rel=0.15)  # its slope, of a range of 2
    assert looks[7] == 0  # nothing changes in the other channel
    (one,) = Looks(channels=[0])(pixels, windows(tmp_path, (0, 0), size=32))
    np.testing.assert_array_equal(one, looks[[0, 2, 4, 6]])


def test_noise_is_less_to_see_than_cells(tmp_path):
    rng = np.random.default_rng(0)
    pixels = rng.normal(50, 6, (16, 32, 1))
    rows, columns = np.mgrid[:16, :32]
    pixels[(rows - 8) ** 2 + (columns - 24) ** 2 < 25] += 40
    empty, full = content(Looks()(pixels.astype(np.float32), windows(tmp_path, (0, 0), (0, 16))))
    assert full == 1
    assert empty < 0.6


def test_where_all_is_flat_all_count_the_same():
    np.testing.assert_array_equal(content(np.zeros((3, 4))), 1)
