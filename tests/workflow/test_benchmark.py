"""The real Snakemake compares methods on a tiny dataset, in two parts."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fewstain.images.write import write_image, write_labels

ROOT = Path(__file__).parents[2]
DRY_RUN = ("--dry-run", "--workflow-profile", "none", "--rerun-triggers", "mtime", "params", "input")
SUBSET = {
    "stains": ["cells"],
    "methods": ["forest", "filters"],
    "n": [2],
    "seeds": [0],
    "preset": "demo",
    "steps": 1,
    "segmenter": {
        "crop": 16,
        "steps": 2,
        "fold_steps": 2,
        "batch_size": 2,
        "views": 0,
        "decoder_trials": 1,
    },
    "pixels": {
        "members": 2,
        "hidden": [8, 4],
        "steps": 20,
        "batch_pixels": 64,
        "views": 1,
        "table_pixels": 256,
        "folds": 2,
        "decoder_trials": 1,
        "decoder_views": 0,
    },
}
pytestmark = pytest.mark.workflow


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    y, x = np.mgrid[:48, :48]
    for number, name in enumerate(("a", "b", "t")):
        labels = ((y - 20 - number) ** 2 + (x - 22) ** 2 < 90).astype(np.uint16)
        pixels = (60 + 120 * labels + np.random.default_rng(number).integers(0, 20, labels.shape)).astype(np.uint8)
        place = folder / "data" / "cells" / ("test" if name == "t" else "")
        write_image(place / "images" / f"{name}.tif", pixels)
        write_labels(place / "labels" / f"{name}.tif", labels)
    (folder / "config.yaml").write_text("datasets: {cells: }\n")
    return folder


def snakemake(folder, *words, code=0):
    """Run `snakemake benchmark`; the rules whose jobs it ran, as often as it did, and what it printed."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", "benchmark"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "ACCELERATE_MIXED_PRECISION": "no"}
    done = subprocess.run([*command, *words], cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    text = done.stdout + done.stderr
    assert done.returncode == code, text
    assert "Traceback (most recent call last)" not in text
    return re.findall(r"^(?:local)?rule (\w+):$", text, re.MULTILINE), text


def test_it_says_what_it_lacks(project):
    _, text = snakemake(project, *DRY_RUN, code=1)
    assert "nothing to compare; say what with --config benchmark=" in text


def test_a_part_is_run_and_then_only_the_rest(project):
    (project / "subset.yaml").write_text(yaml.safe_dump(SUBSET | {"methods": ["forest"]}))
    ran, _ = snakemake(project, "--workflow-profile", "none", "--config", "benchmark=subset.yaml")
    assert sorted(ran) == ["benchmark", "benchmark_cell"]
    (cell,) = (project / "benchmarks" / "results").iterdir()
    assert json.loads(cell.read_text())["status"] == "done"
    text = json.dumps(SUBSET)  # on the command line, where all is text
    ran, _ = snakemake(project, *DRY_RUN, "--config", f"benchmark={text}")
    assert sorted(ran) == ["benchmark", "benchmark_cell"]
    ran, _ = snakemake(project, "--workflow-profile", "none", "--config", f"benchmark={text}")
    assert len(list((project / "benchmarks" / "results").iterdir())) == 2
    table = pd.read_csv(project / "results" / "benchmark.csv")
    assert set(table["method"]) == {"forest", "filters"}
    for name in ("benchmark.html", "benchmark.md", "benchmark-AP50.png", "benchmark-PQ.png"):
        assert (project / "results" / name).is_file()


def test_after_other_channels_no_cell_counts_as_done(project, tmp_path):
    for name in ("data", "benchmarks"):
        (tmp_path / name).symlink_to(project / name)
    (tmp_path / "config.yaml").write_text("datasets: {cells: {channels: [0]}}\n")
    subset = f"benchmark={json.dumps(SUBSET | {'methods': ['forest']})}"
    ran, text = snakemake(tmp_path, *DRY_RUN, "--printshellcmds", "--config", subset)
    assert sorted(ran) == ["benchmark", "benchmark_cell"]
    assert text.count("--channels 0 ") == 1
    assert "--channels=cells=0" in text
