import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewstain.images.tiles import split


@given(
    shape=st.tuples(st.integers(1, 90), st.integers(1, 90)),
    tile=st.integers(1, 5).map(lambda k: 8 * k),
    overlap=st.integers(0, 20),
    align=st.sampled_from([1, 4, 8]),
)
def test_cores_cover_every_pixel_once_inside_their_contexts(shape, tile, overlap, align):
    count = np.zeros(shape, int)
    image = np.arange(shape[0] * shape[1]).reshape(shape)
    for part in split(shape, tile, overlap, align):
        count[part.core_slices] += 1
        np.testing.assert_array_equal(image[part.context_slices][part.core_in_context], image[part.core_slices])
        assert part.context[0] % align == part.context[1] % align == 0
        for side in (0, 1):
            assert part.context[side] == 0 or part.core[side] - part.context[side] >= overlap
            assert part.context[side + 2] == shape[side] or part.context[side + 2] - part.core[side + 2] >= overlap
    assert (count == 1).all()


def test_a_tile_that_does_not_fit_the_grid():
    with pytest.raises(ValueError, match="multiple of 8"):
        list(split((10, 10), 12, 0, 8))
