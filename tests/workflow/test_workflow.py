"""The real Snakemake on a tiny dataset: one project that is killed, labeled, extended and relabeled, in this order."""

import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from fewstain.images.read import read_labels
from fewstain.images.write import write_image, write_labels
from fewstain.storage import read_json

ROOT = Path(__file__).parents[2]
RESULTS = Path("results") / "cells"
TINY = {
    "diffusion": {
        "channels": [8, 8],
        "unshuffle": 1,
        "crop": 32,
        "batch_size": 2,
        "steps": 12,
        "warmup_steps": 1,
        "samples": 1,
        "sample_steps": 2,
        "checkpoint_seconds": 0,
    },
    "pixels": {
        "timesteps": [20],
        "filters": False,
        "members": 2,
        "hidden": [8, 4],
        "steps": 20,
        "batch_pixels": 64,
        "views": 1,
        "table_pixels": 256,
        "folds": 2,
        "decoder_trials": 1,
    },
    "segmenter": {
        "crop": 16,
        "batch_size": 2,
        "steps": 2,
        "fold_steps": 2,
        "views": 0,
        "decoder_trials": 1,
    },
    "segment": {"tile": 64, "overlap": 8},
    "pairs": {"n": 0},
}
pytestmark = pytest.mark.workflow


class Project:
    """A folder with config.yaml and data/cells."""

    def __init__(self, folder):
        self.folder = folder
        self.configure(TINY)

    def configure(self, dataset):
        content = {"datasets": {"cells": dataset}, "preset": "demo"}
        (self.folder / "config.yaml").write_text(yaml.safe_dump(content))

    def add_image(self, name, seed, folder="images"):
        write_image(self.folder / "data" / "cells" / folder / f"{name}.tif", cells(seed)[0])

    def add_labels(self, name, seed, folder="labels"):
        write_labels(self.folder / "data" / "cells" / folder / f"{name}.tif", cells(seed)[1])

    def command(self, *options):
        return [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *options]

    def environment(self):
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        return os.environ | {"PATH": path, "ACCELERATE_MIXED_PRECISION": "no", "PYTHONUNBUFFERED": "1"}

    def run(self, *options, code=0):
        """Run Snakemake; the rules whose jobs it ran, and what it printed."""
        done = subprocess.run(
            self.command(*options),
            cwd=self.folder,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
        )
        assert done.returncode == code, done.stdout
        return set(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):$", done.stdout, re.MULTILINE)) - {
            "all"
        }, done.stdout


def cells(seed):
    """(64, 64) image of bright discs and its labels."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:64, :64]
    labels = np.zeros((64, 64), np.uint16)
    for label, (row, column) in enumerate([(16, 16), (16, 46), (46, 16), (46, 46)], start=1):
        labels[(y - row - rng.integers(-4, 5)) ** 2 + (x - column) ** 2 < rng.integers(36, 100)] = label
    pixels = 40 + 150 * (labels > 0) + rng.normal(0, 8, labels.shape)
    return pixels.clip(0, 255).astype(np.uint8), labels


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("project"))
    for seed, name in enumerate("abcd"):
        project.add_image(name, seed)
    project.add_image("t", 9, "test/images")
    return project


def test_a_misspelt_key_fails_with_the_nearest_one(project):
    project.configure({"difusion": {"steps": 3}})
    _, text = project.run("--dry-run", code=1)
    project.configure(TINY)
    assert "did you mean 'diffusion'?" in text
    assert "Traceback" not in text


def test_a_results_folder_that_cannot_be_one_is_told(project):
    (project.folder / "results").write_text("")
    _, text = project.run(code=1)
    (project.folder / "results").unlink()
    assert "results: is no folder that can be written to" in text
    assert "Traceback" not in text


def test_the_report_has_its_folder_also_where_results_lie_elsewhere(project):
    content = {"datasets": {"cells": TINY}, "preset": "demo", "results": "elsewhere"}
    (project.folder / "config.yaml").write_text(yaml.safe_dump(content))
    project.run("--dry-run", "--workflow-profile", "none")
    project.configure(TINY)
    assert (project.folder / "results").is_dir()


@pytest.mark.skipif(os.name != "posix", reason="kills a POSIX process group")
def test_a_killed_run_leaves_a_training_to_go_on_from(project):
    process = subprocess.Popen(
        project.command(),
        cwd=project.folder,
        env=project.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    training = project.folder / RESULTS / ".training"
    deadline = time.monotonic() + 120
    while not list(training.glob("*/state.safetensors")) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert list(training.glob("*/state.safetensors"))
    assert not (project.folder / RESULTS / "diffusion" / "fewstain.json").exists()


def test_without_labels_the_denoiser_is_trained_and_windows_are_named(project):
    rules, text = project.run()
    assert rules >= {"train_diffusion", "report_training"}
    assert "fit_pixels" not in rules
    assert "now label some windows" in text
    assert "data/cells/labels/a__y0_x0.tif" in text
    assert (project.folder / RESULTS / "diffusion" / "fewstain.json").exists()
    assert len(list((project.folder / RESULTS / ".training").iterdir())) == 1


def test_a_fault_in_the_data_is_told_in_the_terminal(project):
    project.add_labels("nobody", 0)
    _, text = project.run(code=1)
    (project.folder / "data" / "cells" / "labels" / "nobody.tif").unlink()
    assert "nobody.tif" in text
    assert "Traceback" not in text


def test_with_labels_everything_is_made(project):
    for seed, name in enumerate("abc"):
        project.add_labels(name, seed)
    project.add_labels("t", 9, "test/labels")
    rules, text = project.run()
    assert "train_diffusion" not in rules
    assert rules >= {
        "check",
        "fit_pixels",
        "train_segmenter",
        "segment_pool",
        "segment_test",
        "scores",
        "report_tables",
    }
    results = project.folder / RESULTS
    assert sorted(path.name for path in (results / "masks").iterdir()) == ["a.tif", "b.tif", "c.tif", "d.tif"]
    assert read_labels(results / "test" / "t.tif").shape == (64, 64)
    assert (results / "uncertainty" / "a.tif").exists()
    assert list(pd.read_csv(results / "counts.csv")["image"]) == ["a", "b", "c", "d"]
    scores = read_json(results / "scores.json")
    assert set(scores["test"]) >= {"AP50", "AP", "PQ", "AJI", "F1", "mIoU", "count_bias"} <= set(scores["out_of_fold"])
    assert set(scores) >= {"n_labels", "seed", "wall_seconds", "peak_memory_bytes", "device"}
    assert read_json(results / "dataset.json")["path"] == "../../data/cells"
    assert (project.folder / "results" / "report.html").stat().st_size > 100_000
    assert "Traceback" not in text


def test_a_second_run_does_nothing(project):
    rules, text = project.run()
    assert rules == set()
    assert "Nothing to be done" in text


def test_a_number_of_one_stage_leaves_the_stages_before_it_alone(project):
    project.configure({**TINY, "pixels": {**TINY["pixels"], "steps": 21}})
    rules, _ = project.run("--dry-run", "--workflow-profile", "none", "--rerun-triggers", "mtime", "params", "input")
    project.configure(TINY)
    assert "fit_pixels" in rules
    assert not rules & {"check", "train_diffusion", "report_training"}


def test_an_added_image_is_only_segmented(project):
    before = (project.folder / RESULTS / "masks" / "a.tif").stat().st_mtime_ns
    project.add_image("e", 5)
    rules, _ = project.run(str(RESULTS / "counts.csv"))
    assert rules >= {"check", "segment_pool"}
    assert not rules & {"train_diffusion", "fit_pixels", "train_segmenter", "segment_test"}
    assert (project.folder / RESULTS / "masks" / "e.tif").exists()
    assert (project.folder / RESULTS / "masks" / "a.tif").stat().st_mtime_ns == before
    assert "e" in list(pd.read_csv(project.folder / RESULTS / "counts.csv")["image"])


def test_an_added_label_refits_the_pixels_and_no_test_makes_no_test_scores(project):
    shutil.rmtree(project.folder / "data" / "cells" / "test")
    project.add_labels("d", 3)
    rules, _ = project.run(str(RESULTS / "counts.csv"), str(RESULTS / "scores.json"))
    assert rules >= {"fit_pixels", "segment_pool"}
    assert "train_diffusion" not in rules
    scores = read_json(project.folder / RESULTS / "scores.json")
    assert scores["n_labels"] == 4
    assert scores["test"] is None


def test_a_corrected_mask_is_measured_and_nothing_else_is_made(project):
    results = project.folder / RESULTS
    predicted = (results / "masks" / "a.tif").read_bytes()
    write_labels(results / "corrected" / "a.tif", cells(0)[1])
    rules, _ = project.run()
    assert "corrections" in rules
    assert not rules & {"check", "train_diffusion", "fit_pixels", "segment_pool", "scores"}
    table = pd.read_csv(results / "corrected_measurements.csv")
    assert table[table["corrected"]]["label"].tolist() == [1, 2, 3, 4]
    assert set(table["image"]) == set(pd.read_csv(results / "measurements.csv")["image"]) | {"a"}
    assert (results / "masks" / "a.tif").read_bytes() == predicted


def test_the_last_correction_that_is_forgotten_leaves_no_row_behind(project):
    results = project.folder / RESULTS
    forgotten = results / "corrected" / "forgotten" / "1"
    forgotten.mkdir(parents=True)
    (results / "corrected" / "a.tif").rename(forgotten / "a.tif")
    rules, _ = project.run()
    assert "corrections" in rules
    assert not rules & {"check", "train_diffusion", "fit_pixels", "segment_pool", "scores"}
    for name in ("measurements", "counts"):
        corrected, predicted = (pd.read_csv(results / f"{made}{name}.csv") for made in ("corrected_", ""))
        assert not corrected.pop("corrected").any()
        pd.testing.assert_frame_equal(corrected, predicted)


def test_retraining_is_asked_for(project):
    arguments = ("--dry-run", "--workflow-profile", "none", "--rerun-triggers", "mtime", "params", "input")
    project.configure({**TINY, "retrain": True})
    rules, _ = project.run(*arguments)
    project.configure(TINY)
    assert "train_diffusion" in rules


@pytest.mark.parametrize("folder", ["images", "labels", "test/images"])
def test_a_name_with_braces_is_refused_by_its_name(tmp_path, folder):
    project = Project(tmp_path)
    project.add_image("a", 0)
    project.add_image("img {1}", 1, folder)
    _, told = project.run("--dry-run", code=1)
    assert f"data/cells/{folder}/img {{1}}.tif: {{ or }} in the name" in told
    assert "rename it" in told
    assert "WildcardError" not in told
