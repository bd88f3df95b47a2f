import numpy as np
import pytest

from fewstain.pairs.layouts import LayoutFacts
from fewstain.pairs.scores import mean_uncertainty, panoptic_quality, sane_share

FACTS = LayoutFacts(smallest=4, largest=9, radius=1.7, covered=0.2, most_covered=0.4, objects=9)


def grid(*rows):
    return np.array([[int(each) for each in row] for row in rows], np.int32)


TRUTH = grid("000000", "011000", "011000", "000220", "000220", "000000")


def test_quality_of_the_same_is_one_and_of_nothing_found_zero():
    assert panoptic_quality(TRUTH, TRUTH * 3) == 1
    assert panoptic_quality(TRUTH, np.zeros_like(TRUTH)) == 0


def test_quality_by_hand():
    found = grid("000000", "011000", "011000", "000000", "000000", "000000")
    assert panoptic_quality(TRUTH, found) == pytest.approx(1 / 1.5)  # one found whole, one missed


def test_quality_of_two_empty_ones_is_one():
    empty = np.zeros((4, 4), np.int32)
    assert panoptic_quality(empty, empty) == 1


def test_objects_at_the_edge_count_only_where_there_are_no_others():
    edge = grid("111", "000", "000")
    assert panoptic_quality(edge, np.zeros_like(edge)) == 0
    both = grid("11000", "00000", "00220", "00220", "00000")
    assert panoptic_quality(both, np.where(both == 2, 1, 0)) == 1


def test_objects_in_pieces_too_large_or_too_small_are_not_sane():
    pieces = grid("00000", "01010", "01010", "00000", "00000")
    small = grid("00000", "00000", "00100", "00000", "00000")
    large = grid("1111", "1111", "1111", "1111")
    cut = grid("10000", "00000", "00000", "00000", "00000")
    assert [sane_share(each, FACTS) for each in (TRUTH, pieces, small, large, cut)] == [1, 0, 0, 0, 1]
    assert sane_share(np.where(TRUTH == 2, 0, TRUTH) + pieces_at(TRUTH.shape), FACTS) == 0.5


def pieces_at(shape):
    """One object in two pieces, at two corners."""
    labels = np.zeros(shape, np.int32)
    labels[0, -1] = labels[-1, 0] = 5
    return labels


def test_uncertainty_is_of_objects_and_their_surroundings():
    labels = np.zeros((20, 20), np.int32)
    labels[9:11, 9:11] = 1
    uncertainty = np.where(labels > 0, 1.0, 0.0)
    near = 2 * 2 + 8 * 2 + 4 * 1  # the object, two pixels beside each of its sides, and what is between
    assert mean_uncertainty(uncertainty, labels) == pytest.approx(4 / near)
    assert mean_uncertainty(uncertainty, np.zeros_like(labels)) == pytest.approx(4 / 400)
