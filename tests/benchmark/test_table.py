import json

import numpy as np
import pytest
from typer.testing import CliRunner

from fewstain.benchmark.cell import run_cell
from fewstain.benchmark.plan import cell_options, make_plan
from fewstain.benchmark_settings import BenchmarkSettings
from fewstain.cli.benchmark import channels_by_name
from fewstain.cli.run import app
from fewstain.errors import UserError
from fewstain.images.write import write_image, write_labels

DONE = {"method": "forest", "stain": "disks", "n": 2, "seed": 0, "status": "failed", "reason": "a reason of its own"}


def test_channels_are_read_by_the_name_of_their_dataset():
    assert channels_by_name(["cells=0", "my=stain=0,2"]) == {"cells": (0,), "my=stain": (0, 2)}


@pytest.mark.parametrize("text", ["cells", "=0", "0,2", "cells=", "cells=a"])
def test_what_is_no_name_with_channels_is_refused(text):
    with pytest.raises(UserError, match="--channels"):
        channels_by_name([text])


def test_the_table_finds_the_cells_of_chosen_channels(disks_stain, tmp_path):
    subset = {"stains": ["disks"], "methods": ["forest"], "n": [2], "seeds": [0], "cells": str(tmp_path / "cells")}
    plan = make_plan(BenchmarkSettings.model_validate(subset), disks_stain.parent, ["disks"], {"disks": (0,)})
    (tmp_path / "cells").mkdir()
    facts = {"device": "cpu", "processor": "x", "threads": 1, "peak_memory_bytes": 1, "seconds": {"fit": 1.0}}
    (tmp_path / "cells" / f"{plan.cells[0].name}.json").write_text(json.dumps(DONE | facts))
    words = ["benchmark-table", json.dumps(subset), "--out", str(tmp_path / "table"), "--data", str(disks_stain.parent)]
    for more, told in (
        (["--channels", "disks=0"], "| random forest — 1 failed: a reason of its own |"),
        ([], "\nNot run: random forest.\n"),
    ):
        done = CliRunner().invoke(app, [*words, *more])
        assert done.exit_code == 0, done.output
        assert told in (tmp_path / "table.md").read_text()


@pytest.mark.parametrize(
    ("height", "status", "reason"),
    [(300, "done", ""), (40, "failed", "UserError: labeled windows: 1, but each choice is checked on some")],
)
def test_a_single_label_is_a_trial_of_its_own_where_it_is_large(tmp_path, monkeypatch, height, status, reason):
    labels = np.zeros((height, 40), np.uint16)
    for number, top in enumerate(range(4, height - 12, 16), start=1):
        labels[top : top + 9, 8:17] = number
    for folder, brightness in (("", 180), ("test", 190)):
        pixels = np.where(labels > 0, brightness, 60).astype(np.uint8)
        write_image(tmp_path / "one" / folder / "images" / "a.tif", pixels)
        write_labels(tmp_path / "one" / folder / "labels" / "a.tif", labels)
    pixels = {"folds": 2, "decoder_trials": 1, "decoder_views": 0, "views": 1}
    subset = {"stains": [str(tmp_path / "one")], "methods": ["forest"], "n": [5], "seeds": [0], "pixels": pixels}
    settings = BenchmarkSettings.model_validate(subset)
    (cell,) = make_plan(settings).cells
    assert cell.n == 1
    monkeypatch.setattr("fewstain.benchmark.guarded.guarded_cell", run_cell)
    words = ["benchmark-cell", *cell_options(cell, settings), "--out", str(tmp_path / "cell.json")]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    found = json.loads((tmp_path / "cell.json").read_text())
    assert (found["n"], found["status"]) == (1, status)
    assert reason in found.get("reason", "")
