import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from fewstain.evaluate.scores import THRESHOLDS, ScoreSum

TRUTH = np.array(
    [
        [1, 1, 1, 0, 0],
        [1, 1, 1, 0, 0],
        [0, 0, 0, 0, 2],
        [0, 0, 0, 0, 2],
    ]
)
PREDICTED = np.array(
    [
        [1, 1, 1, 0, 0],
        [1, 1, 0, 0, 0],
        [0, 0, 0, 0, 0],
        [3, 3, 0, 0, 0],
    ]
)
EMPTY = np.zeros((4, 5), int)


def scores(*pairs, **options):
    total = ScoreSum()
    for truth, predicted in pairs:
        total.add(truth, predicted, **options)
    return total.scores()


def test_thresholds_are_those_of_the_mean():
    assert THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)


def test_scores_of_an_example_by_hand():
    found = scores((TRUTH, PREDICTED))  # one pair of IoU 5/6, one object missed, one wrong
    assert found["AP50"] == pytest.approx(1 / 3)
    assert found["AP"] == pytest.approx(7 / 10 / 3)  # found at 0.5 … 0.8
    assert found["F1"] == pytest.approx(2 / 4)
    assert found["PQ"] == pytest.approx(5 / 6 / 2)
    assert found["AJI"] == pytest.approx(5 / (6 + 2 + 2))
    assert found["IoU"] == {"background": pytest.approx(10 / 15), "foreground": pytest.approx(5 / 10)}
    assert found["mIoU"] == pytest.approx((10 / 15 + 5 / 10) / 2)
    assert (found["TP"], found["FP"], found["FN"]) == (1, 1, 1)
    assert (found["n_images"], found["n_objects"], found["n_predicted"]) == (1, 2, 2)
    assert (found["count_bias"], found["count_limits_95"]) == (0, None)
    assert (found["count_relative_bias"], found["count_relative_bias_95"]) == (0, None)


def test_counts_are_summed_over_images_not_averaged():
    many = np.kron(np.arange(1, 10).reshape(3, 3), np.ones((2, 2), int))
    one = np.zeros((6, 6), int)
    one[0, 0] = 1
    assert scores((many, many), (one, np.zeros_like(one)))["AP50"] == pytest.approx(9 / 10)


def test_the_relative_bias_of_counts_is_the_same_of_an_image_and_of_its_windows():
    truth = np.kron(np.arange(1, 65).reshape(8, 8), np.pad(np.ones((2, 2), int), 1))
    predicted = truth * (truth % 4 != 1)  # every fourth object is missed
    whole, windows = ScoreSum(), ScoreSum()
    whole.add(truth, predicted)
    for row in range(0, 32, 16):
        for column in range(0, 32, 16):
            part = np.s_[row : row + 16, column : column + 16]
            windows.add(truth[part], predicted[part])
    assert (whole.scores()["count_bias"], windows.scores()["count_bias"]) == (-16, -4)
    assert whole.scores()["count_relative_bias"] == windows.scores()["count_relative_bias"] == -0.25
    assert windows.scores()["count_relative_bias_95"] == [-0.25, -0.25]


def test_no_objects_at_all_leave_the_scores_undefined():
    found = scores((EMPTY, EMPTY))
    assert [found[key] for key in ("AP50", "AP", "PQ", "AJI", "F1")] == [None] * 5
    assert found["mIoU"] == 1
    assert found["count_bias"] == 0
    json.dumps(found, allow_nan=False)


def test_no_image_at_all():
    found = scores()
    assert [found[key] for key in ("AP50", "mIoU", "count_bias", "count_limits_95")] == [None] * 4
    assert found["n_images"] == 0


def test_objects_on_one_side_only_score_zero():
    for pair in [(TRUTH, EMPTY), (EMPTY, TRUTH)]:
        found = scores(pair)
        assert [found[key] for key in ("AP50", "AP", "PQ", "AJI", "F1")] == [0] * 5


def test_an_empty_image_costs_nothing_where_nothing_is_predicted():
    with_empty, without = scores((TRUTH, PREDICTED), (EMPTY, EMPTY)), scores((TRUTH, PREDICTED))
    assert with_empty["AP50"] == without["AP50"]
    assert with_empty["n_images"] == 2


def test_classes_that_occur_nowhere_are_left_out():
    found = scores((TRUTH, PREDICTED), truth_classes={1: "a", 2: "b"}, predicted_classes={1: "a", 3: "a"})
    assert found["IoU"] == {
        "background": pytest.approx(10 / 15),
        "a": pytest.approx(5 / 8),
        "b": 0,
    }
    assert found["mIoU"] == pytest.approx((10 / 15 + 5 / 8 + 0) / 3)


def test_pixels_of_unknown_class_are_left_out():
    found = scores((TRUTH, TRUTH), truth_classes={1: "a"}, predicted_classes={1: "a", 2: "b"})
    assert found["IoU"] == {"background": 1, "a": 1}


def test_one_row_for_each_named_image():
    total = ScoreSum()
    total.add(TRUTH, TRUTH, name="x")
    total.add(TRUTH, PREDICTED, name="y")
    assert [row["image"] for row in total.rows] == ["x", "y"]
    assert [row["AP50"] for row in total.rows] == [1, pytest.approx(1 / 3)]
    assert not {"count_bias", "count_relative_bias"} & set(total.rows[0])


def test_objects_at_the_edge_can_be_left_out():
    truth = np.pad(TRUTH, ((1, 1), (1, 0)))  # object 2 still touches the right edge
    found = scores((truth, np.pad(PREDICTED, ((1, 1), (1, 0)))), ignore_edge=True)
    assert (found["TP"], found["FP"], found["FN"]) == (1, 1, 0)
    assert found["AJI"] == pytest.approx(5 / 8)


@settings(max_examples=50)
@given(
    hnp.arrays(np.int32, (5, 5), elements=st.integers(0, 4)), hnp.arrays(np.int32, (5, 5), elements=st.integers(0, 4))
)
def test_scores_lie_between_zero_and_one_and_a_perfect_result_has_all_ones(truth, predicted):
    keys = ("AP50", "AP", "PQ", "AJI", "F1", "mIoU")
    found, perfect = scores((truth, predicted)), scores((truth, truth))
    assert all(found[key] is None or 0 <= found[key] <= 1 for key in keys)
    assert all(perfect[key] in (1, None) for key in keys)


def test_a_lead_and_its_error_are_of_the_same_images():
    ahead, behind = ScoreSum(), ScoreSum()
    for number in range(4):
        ahead.add(TRUTH, TRUTH, name=str(number))
        behind.add(TRUTH, PREDICTED, name=str(number))
    assert ahead.lead(behind) == (pytest.approx(2 / 3), pytest.approx(0))  # every image tells the same
    assert behind.lead(behind) == (0, 0)
    ahead.add(TRUTH, EMPTY, name="4")
    behind.add(TRUTH, EMPTY, name="4")
    lead, error = ahead.lead(behind)
    assert lead == pytest.approx(8 / 10 - 4 / 14)
    assert 0 < error < 0.2
