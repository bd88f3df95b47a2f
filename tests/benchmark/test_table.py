import json

import pytest
from typer.testing import CliRunner

from fewstain.benchmark.plan import make_plan
from fewstain.benchmark_settings import BenchmarkSettings
from fewstain.cli.benchmark import channels_by_name
from fewstain.cli.run import app
from fewstain.errors import UserError

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
