import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewstain.pixels.tiling import count_tiles, tiles


def test_two_windows_share_their_overlap():
    left, right = tiles((4, 12), tile=4, overlap=2, multiple=1)
    assert (left.rows, left.columns, left.last_in_row) == (slice(0, 4), slice(0, 8), False)
    assert (right.rows, right.columns, right.last_in_row) == (slice(0, 4), slice(4, 12), True)
    assert right.origin == (0, 4)
    assert left.weight_rows.tolist() == [1, 1, 1, 1]
    assert left.weight_columns.tolist() == pytest.approx([1, 1, 1, 1, 0.875, 0.625, 0.375, 0.125])
    assert right.weight_columns.tolist() == pytest.approx([0.125, 0.375, 0.625, 0.875, 1, 1, 1, 1])
    assert left.weight.shape == (4, 8)


def test_windows_are_no_longer_than_so_many_need():
    rows = [tile.rows for tile in tiles((16, 4), tile=6, overlap=1, multiple=1)]
    assert rows == [slice(0, 7), slice(5, 12), slice(9, 16)]  # of 8, which they may have, they would reach 20


def test_a_small_image_goes_in_one_piece():
    (only,) = tiles((8, 7), tile=4, overlap=2, multiple=2)
    assert (only.rows, only.columns, only.last_in_row) == (slice(0, 8), slice(0, 7), True)
    assert only.weight.min() == 1


@given(
    height=st.integers(1, 90),
    width=st.integers(1, 90),
    tile=st.integers(1, 40),
    overlap=st.integers(0, 20),
    multiple=st.sampled_from([1, 4, 8]),
)
def test_windows_cover_an_image_once(height, width, tile, overlap, multiple):
    total = np.zeros((height, width))
    found = list(tiles((height, width), tile, overlap, multiple))
    for each in found:
        total[each.rows, each.columns] += each.weight
        assert each.origin[0] % multiple == each.origin[1] % multiple == 0
        longest = -(-tile // multiple) * multiple + 2 * -(-overlap // multiple) * multiple
        assert max(len(each.weight_rows), len(each.weight_columns)) <= longest
    assert total == pytest.approx(np.ones((height, width)), abs=1e-5)
    assert len(found) == count_tiles((height, width), tile, overlap, multiple)
    padded = {tuple(-(-len(side) // multiple) for side in (each.weight_rows, each.weight_columns)) for each in found}
    assert len(padded) == 1  # all windows are of one size once they are filled up to the stride
