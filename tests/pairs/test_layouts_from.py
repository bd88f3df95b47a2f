"""Layouts that are not the stain's own, drawn or of another stain, are not judged by how full its own are."""

import json
import shutil

import numpy as np
import pytest
import tifffile

from fewstain.cli.run import run
from fewstain.pairs.filters import Limits
from fewstain.pairs.layouts import LayoutModel

from .written import files

SIDE = 32
OPTIONS = ("--side", "32", "--steps", "2", "--batch-size", "1", "-n", "2")
LIMITS = ("--min-agreement", "0", "--max-distance", "1e9")


def full():
    """(32, 32) labels of two objects that cover three quarters of the image."""
    labels = np.zeros((SIDE, SIDE), np.int32)
    labels[4:28, :16], labels[4:28, 16:] = 1, 2
    return labels


def changed_facts(results, **changes):
    file = results / "painter" / "layouts" / "layouts.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))


@pytest.fixture
def sparse(stain, tmp_path, monkeypatch):
    """Results of a stain whose layouts are at most a fifth covered."""
    monkeypatch.setattr("fewstain.pairs.limits.Limits", lambda **given: Limits(**(given | {"copy": 2})))
    shutil.copytree(stain, tmp_path / "sparse")
    changed_facts(tmp_path / "sparse" / "results", most_covered=0.2)
    return tmp_path / "sparse" / "results"


@pytest.fixture
def dense(stain, tmp_path, monkeypatch):
    """Results of another, whose layouts are fuller and of larger objects, and of whose model alone can be sampled."""
    shutil.copytree(stain / "results", tmp_path / "dense")
    changed_facts(tmp_path / "dense", most_covered=0.6, largest=400.0)

    def sample(self, numbers, size, seed, steps):
        assert self.facts.most_covered == 0.6
        assert size == (SIDE, SIDE)
        return [full() for _ in numbers]

    monkeypatch.setattr(LayoutModel, "sample", sample)
    return tmp_path / "dense"


def record(out):
    return json.loads((out / "pairs.json").read_text())


def test_layouts_of_another_stain_are_judged_by_its_own(sparse, dense, tmp_path):
    words = ["pairs", str(sparse), "--layouts-from", str(dense), *OPTIONS]
    assert run([*words, "--out", str(tmp_path / "pairs"), *LIMITS]) == 0
    assert (record(tmp_path / "pairs")["kept"], record(tmp_path / "pairs")["limits"]["covered"]) == (2, 0.6 * 1.5)
    assert (tifffile.imread(tmp_path / "pairs" / "labels" / "pair-000000.tif") == full()).all()
    for shard in ("2/2", "1/2"):
        assert run([*words, "--out", str(tmp_path / "shared"), "--shard", shard]) == 0
    shutil.rmtree(dense)  # gathering needs the other stain no more
    assert run(["gather-pairs", str(sparse), "--out", str(tmp_path / "shared"), *LIMITS]) == 0
    assert files(tmp_path / "shared") == files(tmp_path / "pairs")


def test_drawn_layouts_may_be_as_full_as_they_are(sparse, tmp_path):
    (tmp_path / "drawn").mkdir()
    tifffile.imwrite(tmp_path / "drawn" / "a.tif", full().astype(np.uint16))
    words = ["pairs", str(sparse), "--out", str(tmp_path / "pairs"), "--layouts", str(tmp_path / "drawn"), *OPTIONS]
    assert run([*words, *LIMITS]) == 0
    assert (record(tmp_path / "pairs")["kept"], record(tmp_path / "pairs")["limits"]["covered"]) == (2, 1.0)
