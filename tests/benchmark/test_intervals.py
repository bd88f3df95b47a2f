import numpy as np
import pytest

from fewstain.benchmark.intervals import Counts, counts_of, difference, interval, score_of


def counts(*seeds):
    """Counts of images that have (TP, FP, FN, summed IoU), for each seed."""
    table = np.array(seeds, float)
    return Counts(tuple(str(i) for i in range(table.shape[1])), tuple(range(len(table))), table)


def test_scores_are_those_of_the_summed_counts():
    table = np.array([[2, 1, 1, 1.5], [1, 0, 3, 0.75]])
    assert score_of(table.sum(0), "AP50") == pytest.approx(3 / 8)
    assert score_of(table.sum(0), "PQ") == pytest.approx(2.25 / 5.5)
    assert np.isnan(score_of(np.zeros(4), "AP50"))


def test_seeds_are_averaged_after_images_are_summed():
    found = interval(counts([[4, 0, 0, 4]], [[1, 1, 0, 1]]), "AP50")
    assert found.mean == pytest.approx(0.75)
    assert (found.low, found.high) == (0.5, 1.0)  # one seed or the other


def test_the_interval_of_many_images_is_that_of_a_share():
    # 400 images of one object, found in half of them: a share's standard error is 0.5 / sqrt(400) = 0.025
    rows = [[1, 0, 0, 1]] * 200 + [[0, 0, 1, 0]] * 200
    found = interval(counts(rows), "AP50")
    assert found.mean == 0.5
    assert found.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.01)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.01)


def test_what_differs_by_the_same_in_every_image_differs_surely():
    # the images differ much among themselves, but not in by how much the first method is better
    first = counts([[8, 2, 0, 8], [4, 6, 0, 4], [2, 8, 0, 2]])
    second = counts([[7, 3, 0, 7], [3, 7, 0, 3], [1, 9, 0, 1]])
    found = difference(first, second, "AP50")
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    alone = interval(first, "AP50")
    assert alone.high - alone.low > 0.3


def test_a_difference_is_over_the_seeds_that_both_have():
    first = Counts(("a",), (0, 1), np.array([[[9, 1, 0, 9]], [[6, 4, 0, 6]]], float))
    second = Counts(("a",), (1, 2), np.array([[[5, 5, 0, 5]], [[1, 9, 0, 1]]], float))
    found = difference(first, second, "AP50")
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    third = Counts(("a",), (2,), np.array([[[5, 5, 0, 5]]], float))
    assert difference(first, third, "AP50").mean is None


def test_seeds_are_drawn_together_where_one_method_has_more_of_them():
    # by 0.1 better on either seed that both have, though seeds differ much
    first = Counts(("a",), (0, 1, 2), np.array([[[1, 9, 0, 1]], [[9, 1, 0, 9]], [[2, 8, 0, 2]]], float))
    second = Counts(("a",), (1, 2), np.array([[[8, 2, 0, 8]], [[1, 9, 0, 1]]], float))
    found = difference(first, second, "AP50")
    assert (found.mean, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))


def test_cells_become_counts_in_the_order_of_their_seeds():
    cell = {"images": [{"image": "a", "TP": 2, "FP": 1, "FN": 3, "PQ": 0.4}], "seed": 1}
    empty = {"images": [{"image": "a", "TP": 0, "FP": 0, "FN": 0, "PQ": None}], "seed": 0}
    found = counts_of([cell, empty])
    assert found.seeds == (0, 1)
    np.testing.assert_allclose(found.counts, [[[0, 0, 0, 0]], [[2, 1, 3, 1.6]]])
    with pytest.raises(ValueError, match="different test images"):
        counts_of([cell, {"images": [], "seed": 0}])
