import importlib
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def table(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module("cell_table")
    for name in ("cell_table", "page"):
        sys.modules.pop(name, None)


def cell(method, stain, ap50, **changes):
    names = ("AP50", "AP", "PQ", "AJI", "F1", "mIoU")
    scores = dict.fromkeys(names, 0.25) | {"AP50": ap50, "count_bias": -1.5, "count_limits_95": [-4.0, 1.0]}
    return {
        "method": method,
        "stain": stain,
        "n_labels": 24,
        "seed": 0,
        "device": "cpu",
        "status": "done",
        "scores": scores | {"n_images": 2, "n_objects": 30},
        "seconds": {"pretraining": 60.0, "fit": 30.0, "predict": 0.0},
        "peak_memory_bytes": 2**30,
        "budget": {"seconds": None, "steps": None},
        "notes": {},
        **changes,
    }


def test_the_best_method_of_a_stain_comes_first(table):
    ours = cell("ours", "dapi", 0.5, notes={"method": "ensemble"})
    lines = table.content([cell("forest", "dapi", 0.75), ours, cell("ours", "cells", 0.5)]).splitlines()
    assert [line for line in lines if line.startswith("###")] == ["### cells", "### dapi"]
    best, second = lines[-2:]
    assert "random forest" in best.lower()
    assert "| 0.750 | 0.250 | 0.250 | 0.250 | 0.250 | 0.250 | -1.5 (-4.0 to +1.0) | 24 | 0 | 1.5 | 1.0 | cpu |" in best
    assert "ensemble alone | 0.500 |" in second
    assert "2 test images, 30 objects." in lines


def test_a_methods_budget_is_told(table):
    assert table.title(cell("unet", "dapi", 0.5, budget={"seconds": None, "steps": 400})).endswith(", 400 steps")
    timed = cell("unet", "dapi", 0.5, budget={"seconds": 540.0, "steps": None})
    assert table.title(timed).endswith(", 9 minutes of training")


def test_failed_cells_are_left_out(table):
    assert table.content([cell("forest", "dapi", 0.5, status="failed", scores=None)]) == ""
