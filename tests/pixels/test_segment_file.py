import shutil

import numpy as np
import pytest

import fewstain
from fewstain.cli import run as cli
from fewstain.images.read import read_labels
from fewstain.images.write import write_image
from fewstain.pairs.making import open_stain
from fewstain.presets import PRESETS
from fewstain.settings import Preset, SegmentSettings
from fewstain.storage import read_json

OWN = SegmentSettings(tile=32, overlap=8, flips=True)


@pytest.fixture
def results(grey_results, tmp_path):
    return shutil.copytree(grey_results, tmp_path / "results")


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "images" / "a.tif"
    write_image(path, np.random.default_rng(0).integers(0, 255, (70, 80)).astype(np.uint8))
    return path


@pytest.fixture
def made(results, image):
    """The results folder, with masks as the workflow makes them."""
    options = ["--preset", "gpu", "--set", "segment.tile=32", "--set", "segment.overlap=8"]
    assert cli.run(["segment", str(results), str(image), "--out", str(results), *options]) == 0
    return results


@pytest.fixture
def given(monkeypatch):
    """Settings that calls of the verb have come to."""
    seen = []
    monkeypatch.setattr("fewstain.pixels.update.update_files", lambda *args, **kwargs: seen.append(args[3]) or 0)
    return seen


def test_a_results_folder_segments_later_images_as_its_own(made, image, tmp_path):
    assert read_json(made / "segment.json") == {"tile": 32, "overlap": 8, "flips": True}
    expected = read_labels(made / "masks" / "a.tif")
    assert cli.run(["segment", str(made), str(image), "--out", str(tmp_path / "out")]) == 0
    np.testing.assert_array_equal(read_labels(tmp_path / "out" / "masks" / "a.tif"), expected)
    assert not (tmp_path / "out" / "segment.json").exists()
    model = fewstain.load(made, "cpu")
    assert model.settings == OWN
    np.testing.assert_array_equal(model.segment(image).labels, expected)


def test_an_option_wins(made, image, given, tmp_path):
    for options in ([], ["--set", "segment.flips=false"], ["--preset", "cpu"]):
        assert cli.run(["segment", str(made), str(image), "--out", str(tmp_path / "out"), *options]) == 0
    assert given == [OWN, OWN.model_copy(update={"flips": False}), PRESETS[Preset.cpu].segment]
    assert fewstain.load(made, "cpu").settings == OWN  # what goes elsewhere changes nothing in the results


def test_without_the_file_the_settings_are_those_of_cpu(results, image, given, tmp_path):
    assert cli.run(["segment", str(results), str(image), "--out", str(tmp_path / "out")]) == 0
    assert given == [PRESETS[Preset.cpu].segment]
    assert fewstain.load(results, "cpu").settings == SegmentSettings()


def test_pairs_are_judged_alike_whatever_the_file_says(made):
    assert open_stain(made, dataset=None).model.settings == SegmentSettings()


def test_a_damaged_file_is_told(results, image, tmp_path, capsys):
    (results / "segment.json").write_text('{"tiles": 3}')
    assert cli.run(["segment", str(results), str(image), "--out", str(tmp_path / "out")]) == 2
    assert "segment.json: unknown key 'tiles'" in " ".join(capsys.readouterr().err.split())
