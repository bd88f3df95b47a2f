import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage

from fewstain.pixels.copies import MOST_COVERED, laid_over, shone_through, touching_copies

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
    assert np.abs(image[0][far] + 0.9).max() < 0.001


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


def square(side=15, first=5, last=10):
    inside = np.zeros((side, side), np.bool_)
    inside[first:last, first:last] = True
    return inside


def test_light_that_shines_through_adds_up_above_the_background():
    inside = square()
    pixels = np.where(inside, 0.1, -0.5).astype(np.float32)[None]  # 0.6 above its background
    dark, lit = (np.full((1, 15, 15), level, np.float32) for level in (-0.8, 0.2))
    on_dark, on_lit = (shone_through(under, pixels, inside, ~inside) for under in (dark, lit))
    assert on_dark[0, 7, 7] == pytest.approx(-0.2, abs=0.01)
    assert on_lit[0, 7, 7] == pytest.approx(0.8, abs=0.01)
    assert_array_equal(on_dark[0, 0], dark[0, 0])  # and nothing where there is no object
    assert shone_through(np.full_like(lit, 0.9), pixels, inside, ~inside).max() == 1


def test_a_dark_stain_adds_up_as_well():
    inside = square()
    pixels = np.where(inside, 0.1, 0.7).astype(np.float32)[None]
    under = np.full((1, 15, 15), 0.2, np.float32)
    assert shone_through(under, pixels, inside, ~inside)[0, 7, 7] == pytest.approx(-0.4, abs=0.01)


def test_a_neighbour_in_the_ring_is_not_copied_along():
    inside, neighbour = square(), square(first=11, last=15)
    pixels = np.where(inside, 0.1, np.where(neighbour, 0.9, -0.5)).astype(np.float32)[None]
    under = np.full((1, 15, 15), -0.8, np.float32)
    for laid in (shone_through, laid_over):
        assert laid(under, pixels, inside, ~(inside | neighbour))[0, 13, 13] == pytest.approx(-0.8, abs=0.01)


def test_light_leaves_no_dark_seam_between_two_that_touch():
    left, right = np.zeros((11, 20), np.bool_), np.zeros((11, 20), np.bool_)
    left[2:9, 4:10], right[2:9, 10:16] = True, True
    blurred = (ndimage.gaussian_filter(each.astype(np.float32), 1.0)[None] for each in (left, right))
    under, pixels = (1.6 * each - 0.8 for each in blurred)
    seam = np.s_[0, 5, 9:11]
    assert shone_through(under, pixels, right, ~right)[seam].min() > 0.6
    assert laid_over(under, pixels, right, ~right)[seam].min() < 0.3


def test_an_object_without_background_around_it_hides_what_it_lies_on():
    inside = square()
    pixels, under = (np.full((1, 15, 15), level, np.float32) for level in (0.5, -0.5))
    nowhere = np.zeros_like(inside)
    assert_array_equal(shone_through(under, pixels, inside, nowhere), laid_over(under, pixels, inside, nowhere))
