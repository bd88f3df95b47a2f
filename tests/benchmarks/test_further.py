import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

from fewstain.pixels.consensus import FoundObjects
from fewstain.pixels.labeled_window import label_window

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def further(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("further")
    for name in ("further", "views", "page"):
        sys.modules.pop(name, None)


def test_average_precision_sums_over_windows_before_it_divides(further):
    counts = np.array([[3, 1, 0], [0, 0, 4]])
    assert further.average_precision(counts) == 3 / 8
    np.testing.assert_allclose(further.average_precision(np.stack([counts, 2 * counts[::-1]])), [3 / 8, 3 / 8])


def test_a_model_is_no_nearer_to_itself_than_0_and_pairs_tell_more_than_each_alone(further):
    random = np.random.default_rng(0)
    first = np.stack([random.integers(0, 9, 40), random.integers(0, 3, 40), random.integers(0, 3, 40)], axis=1)
    own = first.copy()
    own[:, 0] += 1
    assert further.compared(first, first)["difference"] == 0
    assert further.compared(first, first)["difference_standard_error"] == 0
    found = further.compared(own, first)
    total = first.sum(axis=0)
    assert found["AP50"] == pytest.approx((total[0] + 40) / (total.sum() + 40))
    assert found["difference"] == pytest.approx(found["AP50"] - total[0] / total.sum())
    assert 0 < found["difference_standard_error"] < found["AP50_standard_error"]


def test_the_table_has_a_line_a_model(further):
    scores = {"AP50": 0.5, "AP50_standard_error": 0.04, "difference": -0.02, "difference_standard_error": 0.03}
    about = {"prediction": "epsilon", "steps": 1500, "method": "both", "AP50_out_of_fold": 0.6, "AP_out_of_fold": 0.3}
    result = {
        "stain": "histology",
        "n_labels": 24,
        "seed": 0,
        "further": 54,
        "whole": False,
        "models": [about | scores | {"reliability": []} for _ in range(2)],
    }
    result["models"][0]["reliability"] = [{"from": 0.9, "objects": 12, "right": 0.75}]
    lines = further.table(result).splitlines()
    first, second = lines[4:6]
    assert first == "| epsilon | 1500 | both | 0.600 | 0.500 (0.040) | – |"
    assert second == "| epsilon | 1500 | both | 0.600 | 0.500 (0.040) | -0.020 (0.030) |"
    assert lines[-1] == "| both | 0.9 | 12 | 0.75 |"
    assert lines[0].startswith("histology, 24 labels, seed 0; 54 further windows; ")
    assert "; 54 whole images of the pool; " in further.table(result | {"whole": True}).splitlines()[0]


def test_objects_are_right_as_often_as_they_meet_a_true_one(further):
    truth = np.zeros((20, 20), np.int32)
    truth[2:6, 2:6], truth[2:6, 10:14], truth[12:18, 0:6] = 1, 2, 3
    found = np.zeros_like(truth)
    found[2:6, 2:6], found[3:7, 11:16], found[12:18, 0:6] = 1, 2, 3  # right, IoU 9 / 27, and at the edge
    window = label_window(np.zeros((1, 20, 20), np.float32), truth, (0, 0), "w", "g", 1)
    rows = further.reliability([FoundObjects(found, np.array([0.97, 0.85, 0.5]))], [window])
    assert rows == [{"from": 0.8, "objects": 1, "right": 0.0}, {"from": 0.95, "objects": 1, "right": 1.0}]
