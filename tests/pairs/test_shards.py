"""Shards and kills: whatever makes the batches, and however often it is stopped, the pairs are the same."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from fewstain.cli.run import run

from .written import files

pytestmark = pytest.mark.usefixtures("anything_goes")

OPTIONS = ("--side", "32", "--batch-size", "2", "-n", "5", "--steps", "2")
FAR = ("--max-distance", "1e9")
AGREEMENT = ("--min-agreement", "0")
KINDS = {
    "layout": ((), (*AGREEMENT, *FAR)),
    "image": (("--kind", "image"), FAR),
    "edit": (("--kind", "edit", "--from", "DATA"), (*AGREEMENT, *FAR)),
}


@pytest.mark.parametrize("kind", KINDS)
def test_shards_of_every_kind_give_the_files_of_one_go(stain, tmp_path, kind):
    asked, limits = KINDS[kind]
    options = [str(stain / "data") if word == "DATA" else word for word in asked]
    words = ["pairs", str(stain / "results"), *options, *OPTIONS]
    assert run([*words, "--out", str(tmp_path / "one"), *limits]) == 0
    for shard in (3, 1, 2):
        assert run([*words, "--out", str(tmp_path / "shared"), "--shard", f"{shard}/3"]) == 0
    assert run(["gather-pairs", str(stain / "results"), "--out", str(tmp_path / "shared"), *limits]) == 0
    found = files(tmp_path / "shared")
    assert found == files(tmp_path / "one")
    images = [found[name] for name in found if "images/" in name]
    assert len(set(images)) == len(images) == 5


@pytest.mark.skipif(os.name == "nt", reason="no SIGKILL")
def test_after_a_kill_only_the_rest_is_made_and_all_is_as_in_one_go(stain, tmp_path):
    words = ["pairs", str(stain / "results"), "--kind", "image", "--side", "32", "-n", "8", "--batch-size", "1"]
    words += ["--steps", "20"]
    killed = [*words, "--out", str(tmp_path / "killed"), "--state", str(tmp_path / "state")]
    kill_after_a_batch(killed, tmp_path / "state")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "state").glob("*/batch-*/**/*")}
    assert not (tmp_path / "killed").exists()
    assert run([*killed, *FAR]) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert not [*(tmp_path / "state").rglob("*.part"), *tmp_path.glob(".killed.*")]
    assert run([*words, "--out", str(tmp_path / "whole"), *FAR]) == 0
    assert files(tmp_path / "killed") == files(tmp_path / "whole")


def kill_after_a_batch(words, state):
    """Run a command in a process of its own, and kill it once the first batch is there."""
    command = [sys.executable, "-c", "from fewstain.cli import main; main()", *words]
    environment = os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())}
    process = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 90
    while not list(state.glob("*/batch-*")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    assert process.wait(30) == -signal.SIGKILL
    assert 0 < len(list(state.glob("*/batch-*"))) < 8
