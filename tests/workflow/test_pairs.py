"""Which jobs make pairs, as Snakemake plans them; what the jobs do is tested with their verbs."""

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from fewstain.images.write import write_image, write_labels

ROOT = Path(__file__).parents[2]
MAKING = {"ensemble_masks": 1, "train_painter": 1, "pairs_shard": 3, "gather_pairs": 1, "report_pairs": 1}
pytestmark = pytest.mark.workflow


def snakemake(folder, pairs, *targets, instead="--dry-run"):
    datasets = {"cells": {"pairs": pairs, "n_labels": 3}, "others": {"n_labels": 2}, "unlabeled": {"pairs": pairs}}
    (folder / "config.yaml").write_text(yaml.safe_dump({"datasets": datasets, "preset": "demo"}))
    command = [sys.executable, "-m", "snakemake", "--snakefile", str(ROOT / "Snakefile"), "--cores", "2", instead]
    command += ["--printshellcmds", "--workflow-profile", "none", *targets]
    path = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
    return subprocess.run(
        command, cwd=folder, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=280
    )


def planned(folder, pairs, *targets, **instead):
    """Jobs of each rule that Snakemake would run, and the commands."""
    done = snakemake(folder, pairs, *targets, **instead)
    assert done.returncode == 0, done.stdout + done.stderr
    text = done.stdout + done.stderr
    rules = re.findall(r"^(?:local)?(?:rule|checkpoint) (\w+):$", text, re.MULTILINE)
    return {rule: rules.count(rule) for rule in set(rules)}, text


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """Three datasets, of which two have labels, as if their checks had been made."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("cells", "others", "unlabeled"):
        write_image(folder / "data" / name / "images" / "a.tif", np.zeros((32, 32), np.uint8))
    labels = np.zeros((32, 32), np.uint16)
    labels[4:9, 4:9] = 1
    for name in ("cells", "others"):
        write_labels(folder / "data" / name / "labels" / "a.tif", labels)
    for name in ("cells", "others", "unlabeled"):
        results = folder / "results" / name
        results.mkdir(parents=True)
        for part in ("check.json", "dataset.json"):
            (results / part).write_text('{"suggestions": []}')
    return folder


def test_one_job_a_shard_and_one_to_gather(project):
    targets = ("results/cells/report/pairs", "--rerun-triggers", "mtime")
    jobs, text = planned(project, {"n": 6, "shards": 3, "crowding": 1.5, "keep": 0.75}, *targets)
    assert {rule: count for rule, count in jobs.items() if rule in MAKING} == MAKING
    assert len(set(re.findall(r"--shard (\d/3)", text))) == 3
    assert "--crowding 1.5" in text
    assert re.search(r"train-painter .*--n-labels 3", text)
    assert re.search(r"gather-pairs.*--keep 0\.75", text)


def test_your_own_layouts_are_painted_and_a_new_one_is_noticed(project):
    drawn = project / "drawn"
    write_labels(drawn / "one.tif", np.ones((32, 32), np.uint16))
    targets = ("results/cells/pairs", "--rerun-triggers", "mtime", "input")
    _, text = planned(project, {"n": 6, "layouts": "drawn"}, *targets)
    assert "--layouts drawn" in text
    assert re.search(r"rule pairs_shard:\n +input: .*drawn/one\.tif", text)
    assert re.search(r"rule gather_pairs:\n +input: .*drawn/one\.tif", text)


@pytest.mark.parametrize("folder", ["nofolder", "empty"])
def test_layouts_that_are_not_there_are_told_before_anything_is_trained(project, folder):
    (project / "empty").mkdir(exist_ok=True)
    (project / "empty" / "notes.txt").touch()
    done = snakemake(project, {"n": 6, "layouts": folder}, "results/cells/pairs")
    assert done.returncode == 1
    told = f"config.yaml: datasets.cells.pairs.layouts: {folder} holds no layouts; put label images (TIFF or PNG) there"
    assert told in done.stdout + done.stderr


@pytest.mark.parametrize(("source", "n_labels"), [("others", 2), ("cells", 3)])
def test_edits_need_no_painter_and_take_the_labels_of_the_dataset_that_is_named(project, source, n_labels):
    pairs = {"n": 6, "shards": 3, "kind": "edit", "from": source, "strength": 0.5}
    jobs, text = planned(project, pairs, "results/cells/report/pairs", "--rerun-triggers", "mtime")
    edits = {"pairs_shard": 3, "gather_pairs": 1, "report_pairs": 1}
    assert {rule: count for rule, count in jobs.items() if rule in MAKING} == edits
    assert re.search(rf"--kind edit .*--strength 0\.5 --from data/{source} --n-labels {n_labels}\n", text)
    for rule in ("pairs_shard", "gather_pairs"):
        assert re.search(rf"rule {rule}:\n +input: .*results/cells/diffusion.*data/{source}/labels/a\.tif", text)


def test_layouts_of_another_dataset_need_its_painter_too(project):
    pairs = {"n": 6, "layouts_from": "others"}
    jobs, text = planned(project, pairs, "results/cells/pairs", "--rerun-triggers", "mtime")
    assert (jobs["train_painter"], jobs["ensemble_masks"], jobs["fit_pixels"]) == (2, 2, 2)
    assert "--layouts-from results/others" in text
    assert re.search(r"rule pairs_shard:\n +input: .*results/cells/painter, .*results/others/painter", text)


@pytest.mark.parametrize("pairs", [{"layouts_from": "unlabeled"}, {"kind": "edit", "from": "unlabeled"}])
def test_a_dataset_without_labels_is_told_before_anything_is_trained(project, pairs):
    done = snakemake(project, {"n": 6} | pairs, "results/cells/pairs")
    assert done.returncode == 1
    key = next(key for key, value in pairs.items() if value == "unlabeled")
    told = (
        f"config.yaml: datasets.cells.pairs.{key}: unlabeled has no labels to learn from; put some into data/unlabeled"
    )
    assert told in done.stdout + done.stderr


def test_several_kinds_go_to_folders_of_their_own_and_to_one_segmenter(project):
    kinds = [{"n": 6}, {"n": 0, "kind": "image"}, {"n": 6, "kind": "edit", "from": "others", "keep": 0.5}]
    jobs, text = planned(project, kinds, "results/cells/report/pairs", "results/cells/report/pairs-3")
    assert (jobs["train_painter"], jobs["pairs_shard"], jobs["gather_pairs"], jobs["report_pairs"]) == (1, 4, 2, 2)
    assert len(re.findall(r"--out results/cells/pairs-3 --shard \d/2 .*--kind edit", text)) == 2
    assert re.search(r"gather-pairs .*--out results/cells/pairs-3 --keep 0\.5", text)
    assert re.search(r"train-segmenter .*--pairs results/cells/pairs --pairs results/cells/pairs-3", text)


def test_the_segmenter_learns_from_them_where_they_are_made(project):
    target = ("results/cells/segmenter/segmenter.json", "--rerun-triggers", "mtime")
    _, text = planned(project, {"n": 6}, *target)
    assert re.search(r"train-segmenter .*--pairs results/cells/pairs", text)
    jobs, text = planned(project, {"n": 0}, *target)
    assert not jobs.keys() & MAKING.keys()
    assert "--pairs" not in text


STAND_IN = """#!/bin/sh
out=results/cells/painter
while [ $# -gt 0 ]; do
    case "$1" in
        --json|--record) echo '{"suggestions": []}' > "$2";;
        --out) out=$2;;
    esac
    shift
done
mkdir -p "$out" && cd "$out" && touch counts.csv pixels.json ensemble.safetensors held-out.safetensors cost.json
"""


@pytest.mark.skipif(os.name != "posix", reason="what stands in for fewstain is a shell script")
def test_an_added_image_makes_no_pairs_anew(project, tmp_path, monkeypatch):
    (tmp_path / "fewstain").write_text(STAND_IN)
    (tmp_path / "fewstain").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)

    def made(pairs):
        triggers = ("--rerun-triggers", "mtime", "params", "input")
        return set(planned(project, pairs, "results/cells/pairs", *triggers, instead="--printshellcmds")[0])

    assert made({"n": 6, "shards": 2}) >= {"train_diffusion", "fit_pixels", "ensemble_masks", "train_painter"}
    write_image(project / "data" / "cells" / "images" / "new.tif", np.zeros((32, 32), np.uint8))
    assert made({"n": 6, "shards": 2}) == {"check"}
    assert made({"n": 9, "shards": 3}) == {"pairs_shard", "gather_pairs"}
    assert made({"n": 6, "shards": 2}) == {"pairs_shard", "gather_pairs"}
    assert not made({"n": 6, "shards": 2})
    (project / "data" / "cells" / "labels" / "classes.csv").write_text("file,label,class\na,1,round\n")
    assert not planned(project, {"n": 9}, "results/cells/segmenter/segmenter.json")[0].keys() & MAKING.keys()
