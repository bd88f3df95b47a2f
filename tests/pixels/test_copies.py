import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage

from fewstain.pixels.copies import MOST_COVERED, touching_copies

OBJECT = 6  # side of a square object, pixels


def field(size=48):
    """One bright square in the middle of a dark field."""
    labels = np.zeros((size, size), np.int32)
    labels[21 : 21 + OBJECT, 21 : 21 + OBJECT] = 7
    image = np.where(labels > 0, 0.8, -0.9).astype(np.float32)[None]
    return image, labels, np.stack(np.indices(labels.shape)).astype(np.int64)


def copies(n=1, seed=0):
    return touching_copies(*field(), n, np.random.default_rng(seed))


@pytest.mark.parametrize("seed", range(8))
def test_a_copy_touches_the_object_and_covers_next_to_nothing_of_it(seed):
    _, labels, _, original = copies(seed=seed)
    assert original == {8: 7}
    assert np.count_nonzero(labels == 8) == OBJECT**2
    assert np.count_nonzero(labels == 7) >= OBJECT**2 * (1 - MOST_COVERED)
    near = ndimage.binary_dilation(labels == 8, np.ones((5, 5)))  # a step is 1.5 pixels
    assert (near & (labels == 7)).any()


@pytest.mark.parametrize("seed", range(4))
def test_a_copy_looks_like_its_object(seed):
    image, labels, _, _ = copies(seed=seed)
    core = ndimage.binary_erosion(labels == 8, iterations=2)
    assert (image[0][core] > 0.5).all()
    far = ~ndimage.binary_dilation(labels > 0, iterations=6)
    assert (image[0][far] == np.float32(-0.9)).all()


def test_copied_pixels_tell_where_they_come_from():
    _, labels, places, _ = copies()
    rows, columns = places[:, labels == 8]
    assert_array_equal(np.unique(rows), np.arange(21, 21 + OBJECT))
    assert_array_equal(np.unique(columns), np.arange(21, 21 + OBJECT))
    assert_array_equal(places[:, labels == 0], np.stack(np.nonzero(labels == 0)))


def test_copies_of_copies_are_of_the_first_object_and_what_was_given_stays():
    given = field()
    image, labels, places = (each.copy() for each in given)
    _, _, _, original = touching_copies(*given, 6, np.random.default_rng(1))
    assert len(original) > 2
    assert set(original.values()) == {7}
    for before, after in zip((image, labels, places), given, strict=True):
        assert_array_equal(before, after)


def test_objects_cut_by_the_edge_are_not_copied():
    image, labels, places = field()
    labels[:] = np.where(labels > 0, 0, labels)
    labels[:4, 10:20] = 1
    found = touching_copies(image, labels, places, 3, np.random.default_rng(0))
    assert found[3] == {}
    assert_array_equal(found[1], labels)
