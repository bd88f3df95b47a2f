import numpy as np
import pytest

from fewstain.evaluate.scores import ScoreSum
from fewstain.pairs.method import Method
from fewstain.pairs.methods import best_method, leads


def scored(*found: int) -> ScoreSum:
    """Ten objects of 2 × 2 pixels in each window, of which so many are found."""
    truth = np.zeros((3, 30), np.int32)
    for number in range(10):
        truth[:2, 3 * number : 3 * number + 2] = number + 1
    total = ScoreSum()
    for window, count in enumerate(found):
        total.add(truth, np.where(truth <= count, truth, 0), name=str(window))
    return total


@pytest.mark.parametrize(
    ("both", "segmenter", "expected"),
    [
        ((7, 7, 7, 7), (7, 7, 7, 7), Method.ensemble),  # of equals
        ((7, 7, 7, 6), (6, 7, 7, 7), Method.ensemble),  # behind
        ((10, 5, 7, 7), (7, 7, 7, 7), Method.ensemble),  # ahead by one object, as it happens: 7.25 against 7
        ((8, 8, 7, 7), (7, 7, 7, 7), Method.ensemble),  # ahead in half of the windows: by two standard errors, not more
        ((8, 8, 8, 7), (7, 7, 7, 7), Method.both),  # ahead in most windows
        ((8, 8, 8, 7), (9, 9, 8, 9), Method.segmenter),  # both lead, this one more
        ((0, 0, 0, 0), (0, 0, 0, 0), Method.ensemble),
    ],
)
def test_the_ensemble_segments_unless_another_leads_by_more_than_chance(both, segmenter, expected):
    scores = {
        Method.both: scored(*both),
        Method.ensemble: scored(7, 7, 7, 7),
        Method.segmenter: scored(*segmenter),
    }
    found = leads(scores)
    assert best_method(found) is expected
    assert found[Method.both][0] == pytest.approx(sum(both) / 40 - 0.7)
