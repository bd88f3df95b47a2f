import numpy as np
import pytest

from fewstain.viewer.corrections import box_around, box_of, merge, next_label, split

BAR = np.array([[0, 0, 0, 0, 0, 0], [5, 5, 5, 5, 5, 5], [0, 0, 0, 2, 2, 0]])


def test_merge_gives_all_the_first_number():
    assert merge(BAR, [2, 5]).tolist() == [[0] * 6, [2] * 6, [0, 0, 0, 2, 2, 0]]
    with pytest.raises(ValueError, match="two objects"):
        merge(BAR, [2, 2])
    with pytest.raises(KeyError):
        merge(BAR, [2, 9])


def test_split_cuts_a_dumbbell_at_its_waist():
    y, x = np.mgrid[:21, :41]
    left, right = ((y - 10) ** 2 + (x - column) ** 2 <= 64 for column in (10, 28))
    labels = 3 * (left | right | ((y == 10) & (x > 9) & (x < 29)))
    cut = split(labels, 3)
    left, right = cut[10, 10], cut[10, 28]
    assert {left, right} == {3, 4}
    assert (cut[:, :18][labels[:, :18] > 0] == left).all()
    assert (cut[:, 21:][labels[:, 21:] > 0] == right).all()


def test_split_cuts_at_the_neck_though_two_places_in_one_lobe_are_deeper():
    y, x = np.mgrid[:60, :80]
    large = ((x - 30) / 26) ** 2 + ((y - 30) / 14) ** 2 <= 1
    small = (x - 62) ** 2 + (y - 30) ** 2 <= 49
    cut = split((large | small).astype(int), 1)
    assert (cut[:, :54][large[:, :54]] == cut[30, 30]).all()
    assert (cut[:, 58:][small[:, 58:]] == cut[30, 62]).all()
    assert cut[30, 30] != cut[30, 62]


def test_split_parts_pieces_that_do_not_touch():
    cut = split(np.array([[1, 1, 1, 0, 1, 1, 1]] * 3), 1)
    assert set(cut[:, :3].ravel()) != set(cut[:, 4:].ravel())


def test_split_leaves_other_objects_and_the_given_array():
    before = BAR.copy()
    cut = split(BAR, 5)
    assert sorted(np.unique(cut[1])) == [5, 6]
    assert (cut[[0, 2]] == BAR[[0, 2]]).all()
    assert (before == BAR).all()


def test_split_without_two_deep_places_cuts_across_the_longest_axis():
    cut = split(np.ones((1, 6), int), 1)
    assert cut[0, 0] != cut[0, 5]
    assert sorted(np.bincount(cut[0])[1:]) == [3, 3]


def test_a_single_pixel_cannot_be_split():
    with pytest.raises(ValueError, match="single pixel"):
        split(np.eye(1, dtype=int), 1)


def test_boxes_and_numbers():
    assert box_of(BAR, 2) == (slice(2, 3), slice(3, 5))
    assert box_around(BAR, [2, 9, 5]) == (slice(1, 3), slice(0, 6))
    with pytest.raises(KeyError):
        box_around(BAR, [9])
    assert sorted(np.unique(split(BAR, 5, following=20)[1])) == [5, 20]
    assert next_label(BAR) == 6
    assert next_label(np.zeros((0, 0), int)) == 1
    for label in (0, 9):
        with pytest.raises(KeyError):
            box_of(BAR, label)
