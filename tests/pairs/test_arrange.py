import numpy as np
import pytest

from fewstain.pairs.arrange import Wish, arrange, count_objects, enlarge, source_size, thin, turned

TWO = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 0, 0, 0, 0],
        [0, 1, 1, 0, 2, 2, 2, 0],
        [0, 0, 0, 0, 2, 2, 2, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0],
    ],
    np.int32,
)


def random():
    return np.random.default_rng(0)


def areas(labels):
    return sorted(np.bincount(labels.ravel())[1:].tolist())


def test_without_a_wish_a_layout_stays_as_it_is():
    np.testing.assert_array_equal(arrange(TWO, Wish(), random()), TWO)


def test_more_crowding_adds_whole_copies_until_the_area_is_reached():
    crowded = arrange(TWO, Wish(crowding=2), random())
    assert np.count_nonzero(crowded) >= 2 * np.count_nonzero(TWO)
    assert set(areas(crowded)) <= {4, 6}  # turned copies of the two, none overlapping another
    np.testing.assert_array_equal(np.where(TWO > 0, crowded, 0), TWO)  # those that were there stay


def test_less_crowding_takes_objects_away():
    thinned = arrange(TWO, Wish(crowding=0.65), random())
    assert areas(thinned) in ([4], [6])


@pytest.mark.parametrize("count", [1, 2, 4])
def test_the_count_is_exact_where_there_is_room(count):
    labels = arrange(TWO, Wish(count=count), random())
    assert count_objects(labels) == count
    assert labels.max() == count


def test_what_has_no_room_is_left_out():
    full = np.arange(1, 5, dtype=np.int32).reshape(2, 2)
    np.testing.assert_array_equal(arrange(full, Wish(count=9), random()), full)


def test_an_empty_layout_stays_empty():
    empty = np.zeros((4, 4), np.int32)
    assert not arrange(empty, Wish(count=3), random()).any()


def test_thinning_numbers_anew():
    np.testing.assert_array_equal(np.unique(thin(TWO, lambda kept: count_objects(kept) <= 1, random())), [0, 1])


def test_objects_are_enlarged_about_the_middle():
    small = np.array([[0, 0, 0, 0], [0, 1, 2, 0], [0, 1, 2, 0], [0, 0, 0, 0]], np.int32)
    expected = np.zeros((4, 4), np.int32)
    expected[:, :2], expected[:, 2:] = 1, 2
    np.testing.assert_array_equal(enlarge(small, 2, (4, 4)), expected)
    np.testing.assert_array_equal(enlarge(small, 1, (4, 4)), small)


@pytest.mark.parametrize("factor", [0.5, 1, 1.7, 3])
def test_the_source_is_large_enough_to_be_enlarged(factor):
    height, width = source_size((64, 96), factor, 16)
    assert height * factor >= 64
    assert width * factor >= 96
    assert height % 16 == width % 16 == 0


def test_a_plane_is_turned_and_then_mirrored():
    planes = np.array([[[1, 2, 3], [4, 5, 6]]])
    assert turned(planes, 0).tolist() == [[[1, 2, 3], [4, 5, 6]]]
    assert turned(planes, 1).tolist() == [[[3, 6], [2, 5], [1, 4]]]
    assert turned(planes, 4).tolist() == [[[3, 2, 1], [6, 5, 4]]]
    assert turned(planes, 5).tolist() == [[[6, 3], [5, 2], [4, 1]]]
    assert len({(turned(planes, symmetry).tobytes(), turned(planes, symmetry).shape) for symmetry in range(8)}) == 8
