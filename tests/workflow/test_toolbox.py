"""The real Snakemake on tiny datasets: what it makes with denoisers where config.yaml asks for it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import imageio.v3 as imageio
import numpy as np
import pytest
import yaml

from fewstain.images.write import write_image
from fewstain.storage import read_json

ROOT = Path(__file__).parents[2]
TINY = {"unshuffle": 4, "channels": [8], "crop": 16, "batch_size": 2, "steps": 2, "samples": 1, "sample_steps": 2}
# the profile would write a report of what is not there yet
DRY_RUN = ("--dry-run", "--workflow-profile", "none", "--rerun-triggers", "mtime", "params", "input")
pytestmark = pytest.mark.workflow


def configure(folder, **toolboxes):
    datasets = {name: {"diffusion": TINY, "toolbox": toolbox} for name, toolbox in toolboxes.items()}
    (folder / "config.yaml").write_text(yaml.safe_dump({"datasets": datasets, "preset": "demo"}))


def snakemake(folder, *words, **variables):
    """Run it, with environment variables; the rules whose jobs it ran or, with DRY_RUN, would run."""
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", *words]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = os.environ | {"PATH": path, "ACCELERATE_MIXED_PRECISION": "no"} | variables
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=280)
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert "Traceback" not in text
    return set(re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):$", text, re.MULTILINE))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    random = np.random.default_rng(0)
    for name, bright in (("cells", 80), ("others", 180)):
        pixels = (bright + random.integers(0, 70, (32, 48))).astype(np.uint8)
        write_image(folder / "data" / name / "images" / f"{name}.tif", pixels)
    return folder


def test_nothing_of_it_is_made_that_is_not_asked_for(project):
    configure(project, cells={}, others={})
    assert not snakemake(project, *DRY_RUN) & {"samples", "adapter", "vae", "latent", "control", "translation"}


def test_samples_and_adapters_are_made_where_they_are_asked_for(project):
    configure(
        project,
        cells={"samples": {"n": 3, "steps": 2, "size": 48}},
        others={"adapters": {"cells": {"rank": 1, "steps": 2}}},
    )
    assert snakemake(project, *DRY_RUN) >= {"samples", "adapter", "train_diffusion"}
    ran = snakemake(project, "results/cells/samples", "results/others/adapters/cells")
    assert ran >= {"train_diffusion", "samples", "adapter"}
    samples, adapter = (project / "results" / part for part in ("cells/samples", "others/adapters/cells"))
    assert [imageio.imread(path).shape for path in sorted(samples.glob("*.tif"))] == [(48, 48)] * 3
    assert (samples / "samples.png").is_file()
    assert {path.name for path in adapter.iterdir()} >= {"adapter_model.safetensors", "fewstain.json", "samples.png"}
    record = read_json(adapter / "fewstain.json")
    assert (record["pool"][0]["name"], record["rank"], record["steps"]) == ("others.tif", 1, 2)
    assert (project / "results" / "others" / ".training" / "adapter-cells" / "state.safetensors").is_file()
    assert not (project / "results" / "others" / "diffusion").exists()  # only the base's denoiser is needed


def test_a_changed_wish_makes_only_its_own_anew(project):
    targets = ("results/cells/samples", "results/others/adapters/cells")
    assert not snakemake(project, *targets, *DRY_RUN)
    configure(
        project,
        cells={"samples": {"n": 3, "steps": 3, "size": 48}},
        others={"adapters": {"cells": {"rank": 1, "steps": 2}}},
    )
    assert snakemake(project, *targets, *DRY_RUN) == {"samples"}
    configure(
        project,
        cells={"samples": {"n": 3, "steps": 2, "size": 48}},
        others={"adapters": {"cells": {"rank": 2, "steps": 2}}},
    )
    assert snakemake(project, *targets, *DRY_RUN) == {"adapter"}


def test_latents_a_control_and_a_translation_are_made_where_they_are_asked_for(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 250, (32, 48, 3)).astype(np.uint8)
    write_image(tmp_path / "data" / "cells" / "images" / "rgb.tif", pixels)
    shorter = {key: TINY[key] for key in ("crop", "batch_size", "steps")}
    configure(
        tmp_path,
        cells={
            "latent": {"vae": shorter | {"channels": [8], "unshuffle": 4}, "diffusion": TINY | {"unshuffle": 1}},
            "control": {"condition": "edges", "numbers": shorter | {"samples": 1, "sample_steps": 2}},
            "translation": {"numbers": TINY},
        },
    )
    assert snakemake(tmp_path, *DRY_RUN) >= {"vae", "latent", "control", "translation"}
    results = tmp_path / "results" / "cells"
    targets = [f"results/cells/{name}" for name in ("latent", "control", "translation")]
    assert snakemake(tmp_path, *targets) >= {"train_diffusion", "vae", "latent", "control", "translation"}
    for name in ("vae", "latent", "control", "translation"):
        assert read_json(results / name / "fewstain.json")["steps"] == 2
        assert list((results / name).glob("*.png"))
        assert (results / ".training" / name / "state.safetensors").is_file()
    assert read_json(results / "control" / "fewstain.json")["condition"] == "edges"
    assert not snakemake(tmp_path, *targets, *DRY_RUN)


# Python runs a module of this name when it starts
OTHER_PRESETS = """
from fewstain import presets
for of in (presets.VAE_PRESETS, presets.LATENT_PRESETS, presets.CONTROL_PRESETS, presets.TRANSLATION_PRESETS,
           presets.CONDITIONAL_PRESETS):
    for preset, numbers in of.items():
        of[preset] = numbers.model_copy(update={"weight_decay": 0.5})
"""


def test_changed_numbers_of_a_preset_make_their_own_anew(tmp_path):
    for name in ("cells", "others"):
        (tmp_path / "data" / name / "images").mkdir(parents=True)
        write_image(tmp_path / "data" / name / "images" / "0.tif", np.zeros((64, 64), np.uint8))
    wishes = {"latent": None, "control": {"condition": "edges"}, "translation": None}
    content = {
        "datasets": {"cells": {"toolbox": wishes}, "others": None},
        "preset": "demo",
        "across": {"words": ["cells", "others"], "few_shot": ["cells", "others"]},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(content))
    of_cells = [f"results/cells/{name}" for name in ("diffusion", "vae", "latent", "control", "translation")]
    targets = [*of_cells, "results/across/words", "results/across/few-shot"]
    for target in targets:
        (tmp_path / target).mkdir(parents=True)
    for name in ("cells", "others"):
        (tmp_path / "results" / name).mkdir(exist_ok=True)
        (tmp_path / "results" / name / "dataset.json").write_text("{}")
        (tmp_path / "results" / name / "check.json").write_text('{"suggestions": []}')
    # nothing is trained, but its parameters are kept
    snakemake(tmp_path, *targets, "--touch", "--forceall", "--workflow-profile", "none")
    assert not snakemake(tmp_path, *targets, *DRY_RUN)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "sitecustomize.py").write_text(OTHER_PRESETS)
    source = os.pathsep.join([str(tmp_path / "other"), os.environ.get("PYTHONPATH", "")])
    planned = snakemake(tmp_path, *targets, *DRY_RUN, PYTHONPATH=source)
    assert planned == {"vae", "latent", "control", "translation", "train_across"}
