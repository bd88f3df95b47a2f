"""What is missing for a request is told with what makes it."""

import shutil

import pytest

from fewstain.cli.run import run


@pytest.fixture
def told(stain, tmp_path, capsys):
    """Give a function that makes pairs of parts of the stain's results, in vain, and gives the error."""

    def failed(parts, *options, folder="results"):
        (tmp_path / "results").mkdir()
        for part in parts:
            shutil.copytree(stain / "results" / part, tmp_path / "results" / part)
        words = ["pairs", str(tmp_path / folder), "--data", str(stain / "data"), "--out", str(tmp_path / "pairs")]
        given = {"DATASET": str(stain / "data"), "NOWHERE": str(tmp_path / "nowhere")}
        assert run([*words, *(given.get(option, option) for option in options)]) == 2
        return capsys.readouterr().err

    return failed


def test_without_a_denoiser_an_edit_needs_its_training(told):
    assert "run train-diffusion first" in told((), "--kind", "edit", "--from", "DATASET")


def test_without_a_painter_layouts_need_its_training(told):
    assert "run train-painter first" in told(("diffusion",))


def test_a_results_folder_that_is_not_there_is_told(told):
    assert "nowhere: no such results folder; correct its name" in told((), folder="nowhere")


def test_a_results_folder_of_other_layouts_that_is_not_there_is_told(told):
    error = told(("diffusion", "painter"), "--layouts-from", "NOWHERE")
    assert "--layouts-from" in error
    assert "nowhere: no such results folder; correct its name" in error


def test_images_without_a_model_are_told_of_what_needs_none(told):
    error = told(("diffusion",), "--kind", "image")
    assert "no fitted model" in error
    assert "--kind edit --from DATASET_DIR" in error
    assert "--layouts-from" not in error
