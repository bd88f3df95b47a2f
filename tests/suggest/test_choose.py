import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.distance import cdist

from fewstain.suggest.choose import choose

EQUAL = np.ones(7)
TWO_HEAPS = np.array([[0.0], [1], [2], [10], [11], [12], [100]])


def test_the_most_typical_window_comes_first_and_the_odd_one_is_not_forgotten():
    first, second, third = choose(TWO_HEAPS, EQUAL, 3)
    assert first == 3  # the median of all
    assert {second, third} == {1, 6}  # the middle of the other heap, and the one that nothing is like


def test_a_window_like_one_that_is_taken_adds_little():
    assert choose(TWO_HEAPS, EQUAL, 1, taken=[3, 6]) == [1]


def test_what_matters_more_comes_first():
    assert choose(TWO_HEAPS, np.where(np.arange(7) < 3, 1.0, 0.001), 1) == [1]


def test_other_images_come_before_a_second_window_of_one():
    features = np.array([[0.0], [1], [2], [3], [4], [5]])
    of_image = [0, 0, 0, 1, 1, 1]
    assert choose(features, np.ones(6), 2) == choose(features, np.ones(6), 2, images=[0] * 6)
    assert of_image[choose(features, np.ones(6), 1, taken=[2], images=of_image)[0]] == 1
    assert of_image[choose(features, np.ones(6), 1, taken=[3], images=of_image)[0]] == 0


def test_an_image_with_nothing_in_it_is_left_out():
    features = np.array([[0.0], [1], [2], [3], [10], [11], [50]])
    weights = np.array([1.0, 1, 1, 1, 1, 1, 0.001])
    assert 6 not in choose(features, weights, 3, images=[0, 0, 0, 0, 0, 0, 1])


def test_copies_are_chosen_once():
    assert len(choose(np.zeros((4, 2)), np.ones(4), 3)) == 1
    assert choose(np.zeros((4, 2)), np.ones(4), 3, taken=[2]) == []
    assert choose(np.zeros((0, 2)), np.ones(0), 3) == []


@given(st.integers(0, 1000), st.integers(1, 6))
def test_greedy_is_near_the_best_there_is(seed, n):
    features = np.random.default_rng(seed).normal(size=(9, 2))
    chosen = choose(features, np.ones(9), n)
    assert len(chosen) == len(set(chosen)) == n
    scaled = (features - features.mean(0)) / features.std(0)
    distances = cdist(scaled, scaled)
    left = [distances[chosen[: k + 1]].min(axis=0).sum() for k in range(n)]
    assert all(later < earlier for earlier, later in itertools.pairwise(left))
    assert left[0] == pytest.approx(distances.sum(axis=0).min(), rel=1e-5)
