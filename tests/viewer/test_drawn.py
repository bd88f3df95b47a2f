import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from fewstain.check.numbering import instances_in_pieces
from fewstain.viewer.drawn import look_over, mend, missed_objects

TWO = np.array([[1, 1, 0, 0, 2], [1, 1, 0, 0, 2], [0, 0, 0, 0, 0]])


def messages(labels, guess=None):
    return [finding.message for finding in look_over(np.asarray(labels), guess)]


def test_tidy_labels_raise_no_doubt():
    assert messages(TWO) == []


def test_an_object_in_two_pieces_is_told_and_its_smaller_piece_gets_the_next_number():
    labels = np.array([[1, 1, 0, 1, 0], [1, 1, 0, 0, 0], [2, 2, 0, 0, 0]])
    assert messages(labels) == ["object 1 in several pieces"]
    assert mend(labels).tolist() == [[1, 1, 0, 3, 0], [1, 1, 0, 0, 0], [2, 2, 0, 0, 0]]


def test_pieces_that_touch_at_a_corner_are_one():
    labels = np.array([[1, 0, 2], [0, 1, 2]])
    assert messages(labels) == []
    assert mend(labels).tolist() == labels.tolist()


def test_a_speck_is_told_and_removed():
    labels = np.zeros((20, 30), int)
    labels[:10, :10], labels[:10, 20:] = 1, 2  # 100 pixels each
    labels[15, 15] = 3
    assert messages(labels) == ["object 3 only a speck"]
    assert np.unique(mend(labels)).tolist() == [0, 1, 2]


def test_a_hole_is_told_and_filled_but_not_an_object_inside_another():
    labels = np.array([[1, 1, 1, 0, 2], [1, 0, 1, 0, 2], [1, 1, 1, 0, 2]])
    assert messages(labels) == ["object 1 with a hole"]
    assert mend(labels)[1, 1] == 1
    inside = np.where(labels == 0, 0, labels)
    inside[1, 1] = 3
    assert messages(inside) == []
    assert mend(inside)[1, 1] == 3


def test_forgotten_background_and_lonely_objects_are_told():
    assert messages(np.array([[1, 1], [2, 2]]))[0].startswith("hardly any background")
    assert messages(np.zeros((3, 3), int)) == [
        "fewer than two objects: choose windows with at least two, whole ones if possible"
    ]


def test_what_only_the_model_sees_is_told():
    guess = np.array([[7, 7, 0, 9, 9], [7, 7, 0, 9, 9], [0, 0, 0, 0, 0]])
    labels = np.where(guess == 7, 1, 0)
    labels[2] = 2
    assert missed_objects(labels, guess) == [9]
    assert messages(labels, guess) == ["the model sees an object where you left background"]


@given(arrays(np.int32, (6, 6), elements=st.integers(0, 3)))
def test_mended_labels_are_whole_and_change_no_other_object(labels):
    mended = mend(labels)
    assert instances_in_pieces(mended) == []
    kept = mended[labels > 0]
    assert set(np.unique(labels[labels > 0])) <= set(np.unique(mended)) | {0}
    assert (kept > 0).all()  # no speck is this large
    for value in np.unique(mended[mended > 3]):
        assert len(np.unique(labels[(mended == value) & (labels > 0)])) == 1
