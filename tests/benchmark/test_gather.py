import json

import pandas as pd
import pytest

from fewstain.benchmark.gather import budget_told, gather
from fewstain.benchmark.page import targets
from fewstain.benchmark.plan import make_plan
from fewstain.benchmark.summary import read_cells, summarise
from fewstain.benchmark_settings import BenchmarkSettings
from fewstain.settings import Preset


def cell(method, hits, n=20, seed=0, stain="a", **more):
    """A cell whose two test images have 10 objects each, of which so many were found."""
    images = [
        {"image": name, "TP": tp, "FP": 0, "FN": 10 - tp, "PQ": tp / 10} for name, tp in zip("xy", hits, strict=True)
    ]
    scores = dict.fromkeys(("AP", "AJI", "F1", "mIoU"), 0.5) | {"count_bias": -1.0, "n_images": 2, "n_objects": 20}
    done = {
        "status": "done",
        "scores": scores,
        "images": images,
        "seconds": {"pretraining": 60.0, "fit": 30.0, "predict": 1.0},
        "parameters": 1234,
    }
    facts = {"method": method, "stain": stain, "n": n, "seed": seed, "peak_memory_bytes": 2_000_000_000}
    return facts | {"device": "cpu", "processor": "x", "threads": 1} | done | more


def test_means_over_seeds_best_first_and_differences_of_the_same_images():
    table = summarise([cell("forest", (4, 4)), cell("ours", (6, 8)), cell("ours", (8, 6), seed=1)])
    assert list(table["method"]) == ["ours", "forest"]
    assert table["AP50"].tolist() == pytest.approx([0.7, 0.4])
    assert table["seeds"].tolist() == ["0, 1", "0"]
    assert table.loc[1, "ours_minus_AP50"] == pytest.approx(0.3)
    assert pd.isna(table.loc[0, "ours_minus_AP50"])


def test_what_failed_was_cut_or_never_run_keeps_its_row():
    failed = {"status": "failed", "reason": "MemoryError", "seconds": {"fit": 3.0}}
    cells = [cell("forest", (4, 4)), cell("mae", (1, 1)), cell("mae", (1, 1), seed=1) | failed]
    table = summarise(cells, [("a", "vae", 20)], {"timm": "timm not installed"}).set_index("method")
    assert table.loc["mae", "status"] == "1 done, 1 failed"
    assert table.loc["mae", "reason"] == "MemoryError"
    assert table.loc["vae", "status"] == "not run"
    assert table.loc["timm", "reason"] == "timm not installed"
    assert table.loc["forest", "status"] == "done"


def test_a_loss_is_told():
    table = summarise([cell("ours", (4, 4)), cell("forest", (6, 6)), cell("unet-all", (8, 8), n=None)])
    (line,) = targets(table)
    assert "fewstain **loses**: 0.400, where random forest has 0.600" in line
    assert "50% of the upper bound" in line
    (line,) = targets(summarise([cell("ours", (8, 8)), cell("forest", (6, 6))]))
    assert "fewstain is first in AP50, 0.800; next is random forest, 0.600 (its interval lies above that)" in line


def test_the_budget_says_what_has_no_limit():
    told = budget_told(BenchmarkSettings(stains=("a",), seconds=60))
    assert "each other method's training on the pool takes 60 seconds on the same device" in told
    assert "fewstain takes what it takes on top of its training on the pool, for its ensemble, a segmenter of" in told
    assert 'The minutes in the columns "pool" and "labels" are each method\'s own.' in told
    assert "only a trial of the code" in budget_told(BenchmarkSettings(stains=("a",), steps=3))


def test_tables_figures_and_page_are_written_from_the_cells_that_are_there(disks_stain, tmp_path):
    settings = BenchmarkSettings(
        stains=(str(disks_stain),),
        methods=("ours", "forest", "timm"),
        n=(2,),
        seeds=(0,),
        cells=str(tmp_path / "cells"),
        page=str(tmp_path / "docs" / "benchmark.md"),
    )
    plan = make_plan(settings)
    (tmp_path / "cells").mkdir()
    forest = plan.cells[1]
    content = cell("forest", (9, 7), n=2, stain="disks")
    (tmp_path / "cells" / f"{forest.name}.json").write_text(json.dumps(content))
    written = gather(plan, settings, tmp_path / "results" / "benchmark", "subset.yaml")
    assert all(path.is_file() for path in written)
    table = pd.read_csv(tmp_path / "results" / "benchmark.csv")
    assert table.set_index("method")["status"].to_dict() == {"forest": "done", "ours": "not run", "timm": "not run"}
    page = (tmp_path / "docs" / "benchmark.md").read_text()
    assert "--config benchmark=subset.yaml" in page
    assert "| random forest | 0.800 (0.700 to 0.900) |" in page
    assert "| fewstain — not run |" + " – |" * 12 in page
    assert "Measured on: cpu (x, 1 thread)." in page
    assert "![Score against the number of labels](figures/benchmark-AP50.png)" in page
    assert (tmp_path / "docs" / "figures" / "benchmark-AP50.png").is_file()
    assert "random forest" in (tmp_path / "results" / "benchmark.html").read_text()


def test_the_last_cell_of_an_earlier_version_stands_in_for_one_that_was_not_run(disks_stain, tmp_path):
    plan = make_plan(BenchmarkSettings(stains=(str(disks_stain),), methods=("forest", "filters"), n=(2,), seeds=(0,)))
    forest, filters = plan.cells
    for number, (name, hits, more) in enumerate(
        [
            (f"{forest.trial}-old", (1, 1), {}),
            (f"{forest.trial}-newer", (9, 7), {}),
            (f"{filters.trial}-of-another-preset", (9, 9), {"preset": "demo"}),
            (f"{filters.trial}-of-nothing-known", (9, 9), {"preset": None}),
        ]
    ):
        content = cell("forest", hits, n=2, stain="disks", preset="cpu", finished=f"2026-01-0{number + 1}") | more
        (tmp_path / f"{name}.json").write_text(json.dumps(content))
    (found,) = read_cells(plan.cells, tmp_path, Preset.cpu)
    assert found["images"][0]["TP"] == 9
    table = summarise([found])
    assert table.loc[0, "title"] == "random forest (an earlier version)"
    (tmp_path / f"{forest.name}.json").write_text(json.dumps(cell("forest", (3, 3), n=2, stain="disks")))
    (found,) = read_cells(plan.cells, tmp_path, Preset.cpu)
    assert found["images"][0]["TP"] == 3
