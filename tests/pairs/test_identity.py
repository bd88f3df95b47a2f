"""What is missing for a request is told with what makes it, and what has changed since its shards were made."""

import shutil

import pytest

from fewstain.cli.run import run
from fewstain.dataset import open_dataset
from fewstain.pair_settings import PairKind
from fewstain.pairs.batches import open_state
from fewstain.pairs.identity import identity_of
from fewstain.pairs.making import Request, open_stain


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


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({}, "2 of 2 batches are not made yet; run the other shards"),
        ({"model": "another"}, "its pairs were made with another fit than"),
        ({"model": None}, "its pairs were made with another fit than"),
        ({"weights": "another"}, "its pairs were made by other networks than"),
    ],
)
@pytest.mark.parametrize("kind", PairKind)
def test_shards_of_another_fit_or_painter_are_not_gathered(stain, tmp_path, capsys, kind, changed, error):
    source = stain / "data" if kind is PairKind.edit else None
    request = Request(kind=kind, n=2, batch_size=1, side=32, source=source)
    identity = identity_of(open_stain(stain / "results", open_dataset(stain / "data")), request)
    open_state(tmp_path / "state", identity | changed, tmp_path / "pairs")
    words = [
        "gather-pairs",
        str(stain / "results"),
        "--out",
        str(tmp_path / "pairs"),
        "--state",
        str(tmp_path / "state"),
    ]
    assert run(words) == 2
    told = capsys.readouterr().err
    assert error in told
    assert ("run `fewstain pairs` again" in told) == bool(changed)
