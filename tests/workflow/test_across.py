"""The real Snakemake on two tiny datasets that one denoiser learns together."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml

from fewstain.diffusion.conditions.network import load_conditional
from fewstain.images.write import write_image

ROOT = Path(__file__).parents[2]
TINY = {"unshuffle": 4, "channels": [8], "crop": 16, "batch_size": 2, "steps": 2, "token_width": 8, "samples": 2}
pytestmark = pytest.mark.workflow


def snakemake(folder, *words):
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *words]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "ACCELERATE_MIXED_PRECISION": "no"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def test_one_denoiser_of_words_and_one_of_images_for_two_datasets(tmp_path):
    random = np.random.default_rng(0)
    for name in ("dapi", "section"):
        write_image(tmp_path / "data" / name / "images" / "0.tif", random.integers(0, 250, (64, 64)).astype(np.uint8))
        (tmp_path / "data" / name / "words.txt").write_text(f"{name}, 20x\n")
    both = ["dapi", "section"]
    content = {
        "datasets": dict.fromkeys(both),
        "preset": "demo",
        "across": {"words": both, "few_shot": both, "conditions": TINY},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    across = tmp_path / "results" / "across"
    snakemake(tmp_path, "results/across/words", "results/across/few-shot")
    assert load_conditional(across / "words").encoder.vocabulary == ("20x", "dapi", "section")
    assert load_conditional(across / "few-shot").encoder.kind == "images"
    assert (across / "words" / "samples.png").is_file()
    snakemake(tmp_path, "--report", "report.zip", "results/across/words", "results/across/few-shot")
    with zipfile.ZipFile(tmp_path / "report.zip") as report:
        pictures = [name for name in report.namelist() if name.endswith("samples.png")]
    assert len(pictures) == 2
    (tmp_path / "data" / "section" / "words.txt").write_text("trichrome, 20x\n")
    planned = snakemake(tmp_path, "--dry-run", "results/across/words", "results/across/few-shot")
    assert planned.count("rule train_across:") == 1  # changed words train that one anew
    assert "results/across/words" in planned
