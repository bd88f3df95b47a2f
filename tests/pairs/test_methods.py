import pytest

from fewstain.pairs.method import Method
from fewstain.pairs.methods import best_method


@pytest.mark.parametrize(
    ("both", "ensemble", "segmenter", "expected"),
    [
        (0.80, 0.79, 0.70, Method.both),
        (0.80, 0.80, 0.80, Method.both),  # of equals
        (0.80, 0.81, 0.70, Method.ensemble),
        (0.80, 0.84, 0.85, Method.segmenter),
        (None, None, None, Method.both),  # nothing to find, and nothing found
    ],
)
def test_what_scores_best_segments(both, ensemble, segmenter, expected):
    values = {Method.both: both, Method.ensemble: ensemble, Method.segmenter: segmenter}
    scores = {method: {"AP50": value, "AP50_standard_error": 0.03} for method, value in values.items()}
    assert best_method(scores) is expected
