import numpy as np
import pytest
from skimage.feature import match_template

from fewstain.pairs.correlation import INNER, correlation, symmetries


def smooth(seed, shape):
    from scipy import ndimage

    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5).astype(np.float32)


@pytest.mark.parametrize(("painted", "image"), [((16, 16), (40, 37)), ((12, 20), (31, 48)), ((40, 40), (12, 20))])
def test_it_is_the_largest_normalised_correlation_of_all_places_and_orientations(painted, image):
    pattern, place = smooth(1, painted), smooth(2, image)
    extent = [min([round(INNER * side), *image]) for side in painted]
    top, left = ((side - own) // 2 for side, own in zip(painted, extent, strict=True))
    inner = pattern[top : top + extent[0], left : left + extent[1]]
    expected = max(
        match_template(place, each).max()
        for each in symmetries(inner)
        if each.shape[0] <= image[0] and each.shape[1] <= image[1]
    )
    assert correlation(pattern, [place]) == pytest.approx(expected, abs=1e-4)
    assert correlation(pattern, [smooth(3, image), place, smooth(4, (50, 50))]) >= expected - 1e-4


def test_a_copy_is_found_in_other_light_and_beside_flat_ground():
    place = np.full((64, 64), 0.5, np.float32)
    place[20:44, 8:32] += smooth(5, (24, 24))
    copied = 0.5 * np.rot90(place[20:44, 8:32]) - 0.3
    assert correlation(np.ascontiguousarray(copied), [place]) == pytest.approx(1, abs=1e-4)


def test_what_is_flat_copies_nothing_and_is_not_copied():
    flat = np.full((20, 20), 0.3, np.float32)
    assert correlation(flat, [smooth(1, (40, 40))]) == 0
    assert correlation(smooth(1, (20, 20)), [np.full((40, 40), 0.3, np.float32)]) == 0
    assert correlation(smooth(1, (20, 20)), []) == 0


def test_the_symmetries_of_the_square_are_eight():
    found = symmetries(np.array([[1, 2], [3, 4]]))
    assert len({each.tobytes() for each in found}) == 8
