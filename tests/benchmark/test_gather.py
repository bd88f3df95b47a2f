import json

import pandas as pd
import pytest

from fewstain.benchmark.gather import budget_told, gather
from fewstain.benchmark.page import benchmark_page
from fewstain.benchmark.plan import make_plan
from fewstain.benchmark.results import read_cells
from fewstain.benchmark.summary import summarise
from fewstain.benchmark.targets import targets
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
    facts = {"stain": "a", "n": 20, "device": "cpu"}
    cut = {"method": "unet", "status": "cut short", "reason": "stopped after 90 seconds", "peak_memory_bytes": 3e9}
    cells += [facts | cut | {"seed": seed, "seconds": {"fit": 90.0 + seed}} for seed in (0, 2)]
    cells.append(facts | {"method": "timm", "seed": 0, "status": "failed", "reason": "of long ago"})
    table = summarise(cells, {("a", "vae", 20): (0,)}, {"cellpose": "not installed"}).set_index("method")
    assert table.loc["mae", "status"] == "1 of 2 seeds, 1 failed"
    assert table.loc["mae", "reason"] == "MemoryError"
    assert table.loc["vae", "status"] == "not run"
    assert table.loc["cellpose", "reason"] == "not installed"
    assert table.loc["forest", "status"] == "done"
    prices = ["fit_s", "peak_memory_gb", "device"]
    assert table.loc["mae", prices].tolist() == [30.0, 2.0, "cpu"]
    assert table.loc["unet", [*prices, "status"]].tolist() == [91.0, 3.0, "cpu", "2 cut short"]
    assert table.loc["timm", prices].isna().tolist() == [True, True, False]


def test_a_loss_is_told():
    table = summarise([cell("ours", (4, 4)), cell("forest", (6, 6)), cell("unet-all", (8, 8), n=None)])
    (line,) = targets(table)
    assert "fewstain **loses**: 0.400, where random forest has 0.600 (the difference's interval lies below 0)" in line
    assert "50% of the upper bound" in line
    (line,) = targets(summarise([cell("ours", (8, 8)), cell("forest", (6, 6))]))
    assert (
        "fewstain is first in AP50, 0.800; next is random forest, 0.600 (the difference's interval lies above 0)"
        in line
    )


FAILED = {"status": "failed", "reason": "killed by signal 9 (SIGKILL)", "seconds": {"fit": 3.0}}


def test_methods_are_compared_over_the_seeds_that_both_have():
    # found everywhere alike, but on seed 0, which is the hardest and which only ours has
    ours = [cell("ours", hits, seed=seed) for seed, hits in enumerate([(2, 2), (8, 8), (8, 8)])]
    mae = [cell("mae", (8, 8), seed=seed) | (FAILED if seed == 0 else {}) for seed in range(3)]
    table = summarise([*ours, *mae])
    row = table.set_index("method").loc["mae"]
    assert (row["AP50"], row["ours_minus_AP50"]) == pytest.approx((0.8, 0.0))
    assert (row["seeds"], row["shared_seeds"], row["status"]) == ("1, 2", "1, 2", "2 of 3 seeds, 1 failed")
    (line,) = targets(table)
    assert line == (
        "a, n = 20: fewstain is level with MAE in AP50, 0.800; "
        "PQ 0.800, the best other 0.800 (MAE), over 2 of 3 seeds (1, 2)."
    )


def test_seeds_that_differ_are_paired_by_what_they_are():
    ours = [cell("ours", (2, 2), seed=0), cell("ours", (6, 6), seed=1)]
    forest = [cell("forest", (5, 5), seed=1), cell("forest", (9, 9), seed=2)]
    row = summarise([*ours, *forest]).set_index("method").loc["forest"]
    assert row["shared_seeds"] == "1"
    bounds = row[["ours_minus_AP50", "ours_minus_AP50_low", "ours_minus_AP50_high", "shared_AP50"]]
    assert bounds.tolist() == pytest.approx([0.1, 0.1, 0.1, 0.5])
    bound = [cell("unet-all", (10, 10), n=None, seed=0), cell("unet-all", (8, 8), n=None, seed=1)]
    row = summarise([ours[1], *bound]).set_index("method").loc["ours"]
    assert row["share_of_bound"] == pytest.approx(0.75)


def test_a_target_is_told_where_ours_failed_or_has_only_some_of_the_seeds():
    wanted = {("a", "ours", 20): (0, 1, 2), ("a", "forest", 20): (0, 1, 2)}
    forest = [cell("forest", (6, 6), seed=seed) for seed in range(3)]
    ours = [cell("ours", (8, 8), seed=seed) | FAILED for seed in range(3)]
    (line,) = targets(summarise([*ours, *forest], wanted))
    told = "fewstain has no score (3 failed: killed by signal 9 (SIGKILL)); the best other is random forest, 0.600"
    assert line == f"a, n = 20: {told}."
    table = summarise([cell("ours", (8, 8)), *forest], wanted)
    assert table.set_index("method").loc["ours", "status"] == "1 of 3 seeds"
    (line,) = targets(table)
    assert "next is random forest, 0.600 (the difference's interval lies above 0); PQ" in line
    assert line.endswith("(random forest), over 1 of 3 seeds (0).")
    (line,) = targets(summarise(forest, wanted))
    assert "fewstain has no score (not run); the best other is random forest" in line
    (line,) = targets(summarise([cell("ours", (8, 8), seed=3), *forest]))
    assert "shares no seed of the same test images" in line
    assert targets(summarise([], wanted)) == ["Nothing to compare yet."]


@pytest.mark.parametrize(
    ("seeds", "told"),
    [((0,), "bootstrap over images only, for every row has one seed;"), ((0, 1), "over seeds and images at once;")],
)
def test_the_page_says_what_intervals_are_over(seeds, told):
    cells = [cell("forest", (4, 4), seed=seed) for seed in seeds]
    page = benchmark_page(summarise(cells), {"file": "a", "preset": "cpu", "budget": "60 seconds"}, [], cells)
    assert told in " ".join(page.split())
    assert ("| 0 (images only) |" in page) == (seeds == (0,))
    assert "settings were developed on" not in page


def test_the_page_says_on_which_stains_fewstain_was_developed_and_on_what_it_was_measured():
    more = {"cpu": "Fast CPU", "cores": 2, "torch": "2.13.0", "backbone": "vit_small@0123456789ab"}
    cells = [cell("timm", (4, 4), stain="histology", **more)]
    page = benchmark_page(summarise(cells), {"file": "a", "preset": "cpu", "budget": "60 seconds"}, [], cells)
    text = " ".join(page.split())
    assert "developed on further labeled windows of histology, the very stains below" in text
    assert "test images were scored about a dozen times" in text
    assert "Measured on: cpu (Fast CPU, 2 cores, 1 thread, torch 2.13.0)." in text
    assert "| pretrained backbone (timm): vit_small | 0.400" in text
    assert "| 1 | 0 | 1.0 | 2.0 | 1,234 | cpu |" in text  # minutes, seconds of the test images, GB


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
    assert "\nNot run: fewstain.\n" in page
    assert "\npretrained backbone (timm) was not run: " in page
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


@pytest.mark.parametrize(
    ("more", "kept"),
    [
        ({}, True),
        ({"budget": {"kind": "60 seconds", "seconds": 60.0, "steps": None}, "channels": None, "backbone": None}, True),
        ({"budget": {"seconds": 60.0, "steps": None}}, True),  # as cells told it before
        ({"budget": {"seconds": 99.0, "steps": None}}, False),
        ({"budget": {"seconds": None, "steps": 800}}, False),
        ({"budget": {"kind": "as long as ours", "seconds": 60.0, "steps": None}}, False),
        ({"channels": [0]}, False),
        ({"data": "of other images"}, False),
        ({"backbone": "vit@0123"}, False),
        ({"status": "failed"}, True),
    ],
)
def test_an_earlier_cell_stands_in_only_where_it_measured_the_same(disks_stain, tmp_path, more, kept):
    settings = BenchmarkSettings(stains=(str(disks_stain),), methods=("unet",), n=(2,), seeds=(0,), seconds=60)
    (unet,) = make_plan(settings).cells
    content = cell("unet", (5, 5), n=2, stain="disks", preset="cpu", finished="2026-01-01") | more
    (tmp_path / f"{unet.trial}-old.json").write_text(json.dumps(content))
    assert len(read_cells([unet], tmp_path, Preset.cpu)) == kept


def test_a_failure_of_an_earlier_version_stands_in_where_none_was_done(disks_stain, tmp_path):
    wanted = {"methods": ("forest",), "n": (2, 4), "seeds": (0,), "cells": str(tmp_path)}
    settings = BenchmarkSettings(stains=(str(disks_stain),), **wanted)
    plan = make_plan(settings)
    few, many = plan.cells
    for planned, name, day, more in (
        (few, "first", 1, {}),
        (few, "second", 2, FAILED),
        (many, "first", 1, FAILED | {"reason": "of long ago"}),
        (many, "second", 2, FAILED),
    ):
        content = cell("forest", (5, 5), n=planned.n, stain="disks", preset="cpu", finished=f"2026-01-0{day}") | more
        if more:
            del content["images"], content["scores"]
        (tmp_path / f"{planned.trial}-{name}.json").write_text(json.dumps(content))
    done, failed = read_cells(plan.cells, tmp_path, Preset.cpu)
    assert (done["status"], failed["reason"], failed["earlier"]) == ("done", FAILED["reason"], True)
    gather(plan, settings, tmp_path / "table", "subset.yaml")
    page = (tmp_path / "table.md").read_text()
    assert "| random forest (an earlier version) | 0.500" in page
    assert "| random forest — 1 failed (an earlier version): killed by signal 9 (SIGKILL) |" in page


def test_earlier_and_present_cells_are_never_in_one_mean():
    def earlier(hits, seed, day, **more):
        return cell("forest", hits, seed=seed, finished=f"2026-01-0{day}", earlier=True) | more

    wanted = {("a", "forest", 20): (0, 1, 2)}
    (row,) = summarise([cell("forest", (8, 8)), earlier((2, 2), 1, 1), earlier((2, 2), 2, 1)], wanted).to_dict(
        "records"
    )
    assert (row["AP50"], row["title"], row["seeds"]) == (0.8, "random forest", "0")
    assert row["status"] == "1 of 3 seeds, 2 of an earlier version, not shown"
    other = [{"image": "z", "TP": 1, "FP": 0, "FN": 9, "PQ": 0.1}]
    (row,) = summarise([earlier((2, 2), 0, 2), earlier((9, 9), 1, 1, images=other)], wanted).to_dict("records")
    assert (row["AP50"], row["title"], row["seeds"]) == (0.2, "random forest (an earlier version)", "0")
    assert row["status"] == "1 of 3 seeds, 1 of an earlier version, not shown"
    failed = {name: value for name, value in (earlier((1, 1), 1, 3) | FAILED).items() if name != "images"}
    (row,) = summarise([earlier((2, 2), 0, 2), failed], wanted).to_dict("records")
    assert (row["AP50"], row["status"]) == (0.2, "1 of 3 seeds, 1 failed")
