"""The verbs suggest, view and apply-corrections."""

import json
import subprocess
import sys

import numpy as np
import pytest

from fewstain.cli import run as cli
from fewstain.errors import UserError
from fewstain.images.write import write_image, write_labels
from fewstain.pixels.corrected import Written
from fewstain.provenance import write_record
from fewstain.storage import write_json
from fewstain.viewer.session import resume
from fewstain.viewer.study import locate


@pytest.fixture
def dataset(tmp_path):
    rng = np.random.default_rng(0)
    write_image(tmp_path / "cells" / "images" / "a.tif", rng.integers(0, 99, (96, 64)).astype(np.uint8))
    write_labels(tmp_path / "cells" / "labels" / "a__y0_x0.tif", np.ones((32, 32), int))
    return tmp_path / "cells"


def test_suggest_names_windows_as_json(dataset, capsys):
    assert cli.run(["suggest", str(dataset), "-n", "3", "--size", "32"]) == 0
    windows = json.loads(capsys.readouterr().out)
    assert len(windows) == 3
    assert windows[0].keys() == {"label_file", "image", "y", "x", "size"}
    assert "labels/a__y0_x0.tif" not in [window["label_file"] for window in windows]


def test_suggested_windows_are_those_that_napari_opens_and_what_was_begun_stays(dataset, capsys):
    study = locate(dataset)
    for _ in range(2):
        assert cli.run(["suggest", str(dataset), "-n", "2", "--size", "32"]) == 0
        named = [window["label_file"] for window in json.loads(capsys.readouterr().out)]
        session = resume(study)
        assert [f"labels/{window.name}.tif" for window in session.windows][-2:] == named
        session.keep_draft(session.windows[-1], np.ones((32, 32), int))
    assert len(session.windows) == 3  # one begun in the first round, and two new ones


def test_suggest_of_a_dataset_says_that_its_results_know_more(dataset, capsys):
    folder = dataset.parent
    (folder / "config.yaml").write_text("data: .\ndatasets:\n  cells:\n")
    assert cli.run(["suggest", str(dataset), "--size", "32"]) == 0
    assert "results" not in capsys.readouterr().err
    results = folder / "results" / "cells"
    write_record(results / "dataset.json", dataset, {"a.tif": None})
    assert cli.run(["suggest", str(dataset), "--size", "32"]) == 0
    assert "results" not in capsys.readouterr().err
    assert cli.run(["suggest", str(results), "--size", "32"]) == 0
    assert f"{results}: no denoiser yet: chosen by their looks" in capsys.readouterr().err
    write_json(results / "diffusion" / "fewstain.json", {})
    assert cli.run(["suggest", str(dataset), "--size", "32"]) == 0
    assert (
        f"`fewstain suggest {folder / 'results' / 'cells'}` goes by what the last run learned"
        in capsys.readouterr().err
    )


def test_suggest_lists_windows_of_a_dataset_that_cannot_be_written_to(dataset, capsys, monkeypatch):
    def refuse(*_):
        raise UserError("no permission")

    monkeypatch.setattr("fewstain.viewer.session.write_json", refuse)
    assert cli.run(["suggest", str(dataset), "--size", "32"]) == 0
    told = capsys.readouterr()
    assert len(json.loads(told.out)) == 5
    assert "napari does not know: no permission" in told.err


def test_view_without_napari_says_how_to_install_it(dataset, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli.run(["view", str(dataset)]) == 2
    assert 'pip install -c constraints.txt -e ".[napari]"' in capsys.readouterr().err
    assert cli.run(["view", str(dataset / "absent")]) == 2


def test_view_without_a_screen_says_so(dataset, capsys, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("sys.platform", "linux")
    for variable in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(variable, raising=False)
    assert cli.run(["view", str(dataset)]) == 2
    assert "no screen" in capsys.readouterr().err


def test_a_dataset_that_was_moved_is_given(dataset, tmp_path, capsys):
    results = tmp_path / "results"
    write_record(results / "dataset.json", dataset, {"a.tif": None})
    moved = dataset.rename(tmp_path / "moved")
    assert cli.run(["suggest", str(results)]) == 2
    assert "give its folder with --data" in capsys.readouterr().err
    assert cli.run(["suggest", str(results), "--size", "32", "--data", str(moved)]) == 0
    told = capsys.readouterr()
    assert len(json.loads(told.out)) == 5
    assert f"view {results} --with label --data {moved}" in told.err


def test_view_is_given_the_place_of_the_dataset(dataset, tmp_path, capsys, monkeypatch):
    opened = []
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    monkeypatch.setattr("fewstain.viewer.display.has_display", lambda: True)
    monkeypatch.setattr("fewstain.viewer.window.view_folder", lambda *given: opened.append(given))
    assert cli.run(["view", str(tmp_path), "--data", str(dataset)]) == 0
    assert opened == [(tmp_path, None, dataset)]
    assert cli.run(["view", str(tmp_path), "--data", str(tmp_path)]) == 2
    assert "no images/ in it" in capsys.readouterr().err


def test_suggest_tells_of_a_channel_that_is_not_there(dataset, capsys):
    assert cli.run(["suggest", str(dataset), "--channels", "5"]) == 2
    assert "a.tif: 1 channel, so channel 5 is not there" in capsys.readouterr().err


def test_apply_corrections_without_tables_is_told(dataset, capsys):
    assert cli.run(["apply-corrections", str(dataset), "--data", str(dataset)]) == 2
    assert "measurements.csv: no such file" in capsys.readouterr().err


def test_apply_corrections_tells_what_it_carried_over(dataset, capsys, monkeypatch):
    monkeypatch.setattr("fewstain.pixels.corrected.write_corrected", lambda *_: Written(2, ["a"]))
    assert cli.run(["apply-corrections", "results", "--data", str(dataset)]) == 0
    told = capsys.readouterr().err
    assert "a.tif: was corrected on an earlier model's mask; what was decided on was carried over" in told
    assert "2 images corrected" in told


def test_the_pipeline_never_imports_napari():
    modules = (
        "fewstain.cli.run, fewstain.check, fewstain.pixels.update, fewstain.pixels.fit, fewstain.diffusion.training"
    )
    code = (
        f"import sys; import {modules}, fewstain.report.pages, fewstain.pixels.corrected;"
        "assert not {'napari', 'qtpy', 'magicgui', 'fewstain.viewer'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
