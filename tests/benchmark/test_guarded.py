"""Cells and pretrainings in processes of their own, which may be killed there."""

import json

import pytest
from typer.testing import CliRunner

from fewstain.benchmark.cell import run_cell
from fewstain.benchmark.cell_run import CellRun
from fewstain.benchmark.guarded import failure_of, guarded_cell, guarded_pretraining, mark_failed
from fewstain.benchmark_settings import MethodName
from fewstain.cli.run import app
from fewstain.errors import UserError
from fewstain.settings import Settings

TINY = [
    *("diffusion.channels=[8]", "diffusion.unshuffle=1", "diffusion.crop=16", "diffusion.steps=4"),
    *("diffusion.batch_size=2", "diffusion.warmup_steps=0", "diffusion.learning_rate=1e30"),
]


def cellpose_that(does, stain, tmp_path):
    """Run a cell whose method starts a program that does something to it."""
    script = tmp_path / "python"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    options = {"cellpose": str(script)}
    return CellRun(stain, "disks", MethodName.cellpose, 4, 0, Settings(), steps=1, budget="1 steps", options=options)


def test_a_method_that_is_killed_leaves_a_cell_that_says_so(disks_stain, tmp_path):
    out = tmp_path / "cell.json"
    result = guarded_cell(cellpose_that("kill -9 $PPID", disks_stain, tmp_path), out)
    assert result == json.loads(out.read_text())
    assert (result["status"], result["reason"]) == ("failed", "killed by signal 9 (SIGKILL)")
    assert (result["method"], result["n"], result["seed"]) == ("cellpose", 4, 0)
    assert result["budget"] == {"kind": "1 steps", "seconds": None, "steps": 1}
    assert result["peak_memory_bytes"] > 10_000_000
    assert result["seconds"]["fit"] > 0


def test_a_method_that_is_stopped_leaves_no_cell(disks_stain, tmp_path):
    with pytest.raises(SystemExit):
        guarded_cell(cellpose_that("kill -TERM $PPID", disks_stain, tmp_path), tmp_path / "cell.json")
    assert not (tmp_path / "cell.json").exists()


def test_a_stain_at_fault_is_told_as_without_a_process(disks_stain, tmp_path):
    run = CellRun(disks_stain, "disks", MethodName.forest, 99, 0, Settings())
    with pytest.raises(UserError, match="no 99 windows"):
        guarded_cell(run, tmp_path / "cell.json")
    assert not (tmp_path / "cell.json").exists()


def test_a_pretraining_that_diverges_says_so(disks_stain, tmp_path):
    words = ["benchmark-pretrain", str(disks_stain), "--kind", "diffusion", "--state", str(tmp_path / "state")]
    words += [f"--set={item}" for item in TINY]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path / "diffusion-abc")])
    assert done.exit_code == 0, done.output
    told = json.loads((tmp_path / "diffusion-abc" / "failed.json").read_text())
    assert "the loss is no longer a number after step" in told["reason"]
    assert failure_of(tmp_path / "diffusion-abc").startswith("diffusion-abc, which it builds on, failed: the loss is")


def test_what_builds_on_a_failed_training_fails_as_well(disks_stain, tmp_path):
    failed = tmp_path / "diffusion-abc"
    mark_failed(failed, "out of memory")
    reason = guarded_pretraining(tmp_path / "mae-abc", "mae", None, as_long_as=failed)
    assert reason == "diffusion-abc, which it builds on, failed: out of memory"
    assert failure_of(None, tmp_path / "mae-abc") == f"mae-abc, which it builds on, failed: {reason}"
    for method, more in (("ours", {"pretrained": failed}), ("unet", {"as_long_as": failed})):
        run = CellRun(disks_stain, "disks", MethodName(method), 4, 0, Settings(), **more)
        result = run_cell(run, tmp_path / "cell.json")
        assert (result["status"], result["reason"]) == ("failed", reason)
