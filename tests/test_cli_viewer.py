"""The verbs suggest, view and apply-corrections."""

import json
import subprocess
import sys

import numpy as np
import pytest

from fewstain.cli import run as cli
from fewstain.images.write import write_image, write_labels


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    write_image(tmp_path / "cells" / "images" / "a.tif", rng.integers(0, 99, (96, 64)).astype(np.uint8))
    write_labels(tmp_path / "cells" / "labels" / "a__y0_x0.tif", np.ones((32, 32), int))
    return tmp_path / "cells"


@pytest.mark.parametrize("verb", ["suggest", "view", "apply-corrections"])
def test_verbs_have_help(verb, capsys):
    assert cli.run([verb, "--help"]) == 0
    assert verb in capsys.readouterr().out


def test_suggest_names_windows_as_json(dataset, capsys):
    assert cli.run(["suggest", str(dataset), "-n", "3", "--size", "32"]) == 0
    windows = json.loads(capsys.readouterr().out)
    assert len(windows) == 3
    assert windows[0].keys() == {"label_file", "image", "y", "x", "size"}
    assert "labels/a__y0_x0.tif" not in [window["label_file"] for window in windows]


def test_view_without_napari_says_how_to_install_it(dataset, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.run(["view", str(dataset)]) == 2
    assert "pip install -c constraints.txt -e '.[napari]'" in capsys.readouterr().err
    assert cli.run(["view", str(dataset / "absent")]) == 2


def test_view_without_a_screen_says_so(dataset, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("sys.platform", "linux")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    assert cli.run(["view", str(dataset)]) == 2
    assert "no screen" in capsys.readouterr().err


def test_apply_corrections_without_tables_is_told(dataset, capsys):
    assert cli.run(["apply-corrections", str(dataset), "--data", str(dataset)]) == 2
    assert "measurements.csv: no such file" in capsys.readouterr().err


def test_the_pipeline_never_imports_napari():
    modules = (
        "fewstain.cli.run, fewstain.check, fewstain.pixels.update, fewstain.pixels.fit, fewstain.diffusion.training"
    )
    code = (
        f"import sys; import {modules}, fewstain.report.pages, fewstain.pixels.corrected;"
        "assert not {'napari', 'qtpy', 'magicgui', 'fewstain.viewer'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
