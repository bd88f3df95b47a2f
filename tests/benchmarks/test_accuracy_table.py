import importlib.util
from pathlib import Path

import pytest

PATH = Path(__file__).parents[2] / "benchmarks" / "accuracy_table.py"


@pytest.fixture(scope="module")
def table():
    spec = importlib.util.spec_from_file_location("accuracy_table", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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


def test_only_what_stands_between_the_markers_is_replaced(table):
    page = f"# Accuracy\n{table.BEGIN}\nold\n{table.END}\nend\n"
    new = table.replace_tables(page, "new\n")
    assert new == f"# Accuracy\n{table.BEGIN}\n\nnew\n\n{table.END}\nend\n"
    assert table.replace_tables(new, "new\n") == new


def test_a_page_without_markers_is_refused(table):
    with pytest.raises(ValueError, match="needs the lines"):
        table.replace_tables("# Accuracy", "new")
