import importlib
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def table():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("accuracy_table")
    finally:
        sys.path.pop(0)


def result(stain, method, ap50, **more):
    scores = dict.fromkeys(("AP", "PQ", "AJI", "F1", "mIoU"), 0.5)
    test = {**scores, "AP50": ap50, "count_bias": -1.25, "count_limits_95": None, "n_images": 2, "n_objects": 30}
    return {
        "stain": stain,
        "method": method,
        "n_labels": 24,
        "seed": 0,
        "wall_s": 90,
        "peak_memory_gb": 1.24,
        "device": "cpu",
        "command": f"python {method}",
        "test": test,
        **more,
    }


def test_one_table_a_stain_best_first(table):
    text = table.tables(
        [
            result("b", "forest", 0.4),
            result("b", "ours", 0.625, preset="cpu", set=["diffusion.steps=5"]),
            result("a", "unet", None, steps=600, budget="steps"),
        ]
    )
    lines = text.splitlines()
    assert [line for line in lines if line.startswith("###")] == ["### a", "### b"]
    rows = [line for line in lines if line.startswith("| ") and "---" not in line and "method" not in line]
    assert rows[0].startswith("| U-Net from scratch, as many steps (600 steps) | – | 0.500 |")
    assert rows[1].startswith("| fewstain, preset cpu, diffusion.steps=5 | 0.625 |")
    assert rows[2].endswith("| -1.2 (–) | 24 | 0 | 1.5 | 1.2 | cpu |")
    assert "    python forest" in lines


def test_variants_get_a_table_of_their_own(table):
    variant = {"variant": "as shipped", "AP50": 0.5, "AP50_standard_error": 0.04, "AP": 0.25, "fit_s": 9.6}
    trial = {"stain": "dapi", "n_labels": 24, "seed": 0, "diffusion_steps": 7, "variants": [variant]}
    lines = table.content([trial]).splitlines()
    assert "### dapi, out-of-fold" in lines
    assert "| as shipped | 0.500 (0.040) | 0.250 | 10 |" in lines


def test_views_get_a_table_between_the_others(table):
    names = ("decoder_by_windows", "decoder_by_views_too", "agreed", "agreeing", "best", "mean")
    row = {"variant": "turned", "merged": 7} | {f"AP50_{name}": (index + 1) / 8 for index, name in enumerate(names)}
    trial = {"stain": "dapi", "n_labels": 24, "seed": 0, "further_windows": 88, "views": [row]}
    lines = table.content([result("a", "forest", 0.4), trial]).splitlines()
    assert lines.index("### a") < lines.index("### dapi, 88 further windows")
    assert "| turned | 0.125 | 0.250 | 0.375 | 0.500 | 0.625 | 0.750 | 7 |" in lines
