import importlib.util
import sys

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fewstain.evaluate.matching import best_ious, label_overlap, match, match_overlap

TRUTH = np.array(
    [
        [1, 1, 0, 0, 0],
        [1, 1, 0, 5, 5],
        [0, 0, 0, 5, 5],
        [7, 7, 0, 5, 5],
    ],
    np.uint16,
)
PREDICTED = np.array(
    [
        [3, 3, 3, 0, 0],
        [3, 3, 0, 2, 2],
        [0, 0, 0, 2, 2],
        [0, 9, 0, 0, 0],
    ],
    np.int32,
)


def label_images(shape=(6, 6), most=5):
    return hnp.arrays(np.int32, shape, elements=st.integers(0, most))


def stardist_matching():
    """stardist/matching.py alone: the package itself would import tensorflow."""
    package = importlib.util.find_spec("stardist")
    if package is None or package.submodule_search_locations is None:
        pytest.skip("stardist is not installed")
    path = f"{package.submodule_search_locations[0]}/matching.py"
    spec = importlib.util.spec_from_file_location("stardist_matching", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules["stardist_matching"] = module
    spec.loader.exec_module(module)
    return module.matching


@pytest.fixture(scope="module")
def reference():
    return stardist_matching()


def test_pairs_and_counts_of_an_example():
    found = match(TRUTH, PREDICTED, 0.5)
    assert (found.tp, found.fp, found.fn) == (3, 0, 0)
    np.testing.assert_array_equal(found.pairs, [[1, 3], [5, 2], [7, 9]])
    np.testing.assert_allclose(found.ious, [4 / 5, 4 / 6, 1 / 2])


def test_a_higher_threshold_finds_fewer():
    found = match(TRUTH, PREDICTED, 0.7)
    assert (found.tp, found.fp, found.fn) == (1, 2, 2)
    assert (found.n_truth, found.n_predicted) == (3, 3)


def test_overlap_counts_background_too():
    overlap = label_overlap(TRUTH, PREDICTED)
    np.testing.assert_array_equal(overlap.truth_labels, [0, 1, 5, 7])
    np.testing.assert_array_equal(overlap.truth_areas, [8, 4, 6, 2])
    np.testing.assert_array_equal(overlap.predicted_areas, [10, 4, 5, 1])
    assert overlap.pixels.sum() == TRUTH.size


def test_of_two_possible_matchings_the_one_with_more_pairs_is_taken():
    truth = np.array([[1, 1, 1, 1, 2, 2]])
    predicted = np.array([[3, 3, 4, 4, 4, 4]])
    # 2-4 has IoU 1/2 and 1-4 1/3, 1-3 1/2: at 0.3, label 4 could take either
    np.testing.assert_array_equal(match(truth, predicted, 0.3).pairs, [[1, 3], [2, 4]])


@pytest.mark.parametrize("truth", [np.zeros((4, 4), int), np.zeros((0, 5), int)])
def test_nothing_matches_nothing(truth):
    found = match(truth, truth)
    assert (found.tp, found.fp, found.fn) == (0, 0, 0)
    assert found.pairs.shape == (0, 2)


@pytest.mark.parametrize(
    ("truth", "predicted", "fault"),
    [
        (np.zeros((2, 2)), np.zeros((2, 2), int), "integers"),
        (np.zeros((2, 2), int), np.zeros((2, 2), bool), "integers"),
        (np.full((2, 2), -1), np.zeros((2, 2), int), "negative"),
        (np.zeros((2, 2), int), np.zeros((2, 3), int), "shapes"),
        (np.zeros((2, 2, 2), int), np.zeros((2, 2, 2), int), "2-D"),
        ([[0]], np.zeros((1, 1), int), "list"),
    ],
)
def test_refuses_what_is_no_label_image(truth, predicted, fault):
    with pytest.raises(ValueError, match=fault):
        match(truth, predicted)


@pytest.mark.parametrize("threshold", [0, 1.1])
def test_refuses_thresholds_out_of_range(threshold):
    with pytest.raises(ValueError, match="threshold"):
        match(TRUTH, PREDICTED, threshold)


@settings(max_examples=150)
@given(label_images(), label_images(), st.sampled_from([0.1, 0.3, 0.5, 0.55, 0.75, 0.95, 1.0]))
def test_agrees_with_stardist(reference, truth, predicted, threshold):
    theirs = reference(truth, predicted, thresh=threshold)
    ours = match(truth, predicted, threshold)
    assert (ours.tp, ours.fp, ours.fn) == (theirs.tp, theirs.fp, theirs.fn)
    if threshold >= 0.5:  # below, stardist's tie-breaker also counts pairs under the threshold
        assert ours.ious.sum() == pytest.approx(theirs.mean_matched_score * theirs.tp, abs=1e-5)


@settings(max_examples=50)
@given(label_images(), label_images())
def test_is_one_to_one_and_adds_up(truth, predicted):
    found = match(truth, predicted, 0.2)
    assert len(set(found.pairs[:, 0])) == len(set(found.pairs[:, 1])) == found.tp
    assert found.n_truth == len(np.unique(truth[truth > 0]))
    assert found.n_predicted == len(np.unique(predicted[predicted > 0]))


EDGE_TRUTH = np.array(
    [
        [1, 1, 0, 0, 0, 0],
        [1, 1, 0, 2, 2, 0],
        [1, 1, 0, 2, 2, 0],
        [0, 0, 0, 0, 0, 0],
    ]
)


def test_objects_cut_by_the_edge_are_left_out_on_both_sides():
    nothing = np.zeros_like(EDGE_TRUTH)
    assert match(EDGE_TRUTH, nothing, ignore_edge=True).fn == 1
    assert match(nothing, EDGE_TRUTH, ignore_edge=True).fp == 1
    found = match(EDGE_TRUTH, EDGE_TRUTH, ignore_edge=True)
    assert (found.tp, found.fp, found.fn) == (1, 0, 0)
    np.testing.assert_array_equal(found.pairs, [[2, 2]])


def test_a_part_of_a_left_out_object_is_not_wrong():
    part = np.zeros_like(EDGE_TRUTH)
    part[1, 1] = 4  # inside object 1, away from the edge
    part[2, 2] = 5  # nowhere
    found = match(EDGE_TRUTH, part, ignore_edge=True)
    assert (found.tp, found.fp, found.fn) == (0, 1, 1)


def test_a_prediction_that_reaches_the_edge_still_finds_its_object():
    wide = np.where(EDGE_TRUTH == 2, 8, 0)
    wide[1:3, 5] = 8
    found = match(EDGE_TRUTH, wide, ignore_edge=True)
    assert (found.tp, found.fp, found.fn) == (1, 0, 0)


def test_objects_in_the_ignored_region_are_left_out():
    region = np.zeros(EDGE_TRUTH.shape, bool)
    region[1, 4] = True
    found = match(EDGE_TRUTH, np.zeros_like(EDGE_TRUTH), ignore=region)
    assert (found.tp, found.fp, found.fn) == (0, 0, 1)
    with pytest.raises(ValueError, match="bool"):
        match(EDGE_TRUTH, EDGE_TRUTH, ignore=region.astype(int))


def test_thousands_of_objects_need_no_dense_table():
    squares = np.arange(1, 250 * 250 + 1).reshape(250, 250)
    labels = np.kron(squares, np.ones((2, 2), int))
    overlap = label_overlap(labels, labels)
    assert len(overlap.pixels) == 250 * 250
    assert match_overlap(overlap).tp == 250 * 250


def test_best_ious_of_both_images():
    whole, split = np.array([[1, 1, 1, 1, 0, 2]]), np.array([[1, 1, 1, 2, 0, 0]])
    of_whole, of_split = best_ious(whole, split)
    assert of_whole.tolist() == [0.75, 0]
    assert of_split.tolist() == [0.75, 0.25]
    assert [each.tolist() for each in best_ious(0 * whole, split)] == [[], [0, 0]]
