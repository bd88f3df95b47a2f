import json
import time

import pytest

from fewstain.benchmark import cell as module
from fewstain.benchmark.cell import CellRun, run_cell, time_limit
from fewstain.benchmark.interface import Fitted
from fewstain.benchmark.trial import fingerprint
from fewstain.benchmark_settings import MethodName
from fewstain.errors import UserError
from fewstain.settings import PixelSettings, SegmenterSettings, SegmentSettings, Settings

FEW = Settings(
    pixels=PixelSettings(
        folds=2,
        decoder_trials=2,
        decoder_views=1,
        views=2,
        steps=150,
        members=2,
        table_pixels=4000,
    ),
    segmenter=SegmenterSettings(crop=32, steps=2, fold_steps=2, batch_size=2, views=0, decoder_trials=1),
    segment=SegmentSettings(tile=64, overlap=8),
)


def cell_run(stain, method, **more):
    return CellRun(stain, "disks", MethodName(method), 4, 0, FEW, **more)


@pytest.mark.parametrize("method", ["forest", "unet", "filters"])
def test_a_method_is_fitted_tuned_and_scored(disks_stain, tmp_path, method):
    out = tmp_path / "cell.json"
    run = cell_run(disks_stain, method, steps=1, budget="1 steps", channels=(0,))
    result = run_cell(run, out, tmp_path / "work")
    assert json.loads(out.read_text()) == json.loads(json.dumps(result))
    assert (result["stain"], result["method"], result["n_labels"], result["seed"]) == ("disks", method, 4, 0)
    assert result["budget"] == {"kind": "1 steps", "seconds": None, "steps": 1}
    assert (result["data"], result["channels"], result["backbone"]) == (fingerprint(disks_stain), [0], None)
    assert result["status"] == "done"
    assert result["scores"]["n_objects"] == 4
    assert [image["image"] for image in result["images"]] == ["t"]
    assert result["images"][0]["TP"] + result["images"][0]["FN"] == 4
    assert result["parameters"] > 0
    assert result["peak_memory_bytes"] > 0
    if method != "unet":  # one step teaches it nothing
        assert result["scores"]["AP50"] == 1


def test_a_method_that_fails_leaves_a_cell_that_says_so(disks_stain, tmp_path, monkeypatch):
    def broken(method, trial):
        raise RuntimeError("did not converge\nsecond line")

    monkeypatch.setattr(module, "fit", broken)
    result = run_cell(cell_run(disks_stain, "forest"), tmp_path / "cell.json")
    assert (result["status"], result["reason"]) == ("failed", "RuntimeError: did not converge")
    assert json.loads((tmp_path / "cell.json").read_text())["status"] == "failed"


def test_a_method_that_fails_on_the_test_images_is_closed(disks_stain, tmp_path, monkeypatch):
    closed = []

    def find(pixels):
        raise RuntimeError("no more")

    monkeypatch.setattr(module, "fit", lambda method, trial: Fitted(find, 1, close=lambda: closed.append(True)))
    assert run_cell(cell_run(disks_stain, "forest"), tmp_path / "cell.json")["reason"] == "RuntimeError: no more"
    assert closed == [True]


def test_a_cell_that_takes_too_long_is_shown_as_cut(disks_stain, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "fit", lambda method, trial: time.sleep(30))
    result = run_cell(cell_run(disks_stain, "forest", limit_seconds=0.1), tmp_path / "cell.json")
    assert (result["status"], result["reason"]) == ("cut short", "stopped after 0.1 seconds")


def test_a_limit_ends_with_its_block():
    with time_limit(0.05):
        pass
    time.sleep(0.1)


def test_a_stain_at_fault_leaves_no_cell(disks_stain, tmp_path):
    run = CellRun(disks_stain, "disks", MethodName.forest, 99, 0, FEW)
    with pytest.raises(UserError, match="no 99 windows"):
        run_cell(run, tmp_path / "cell.json")
    assert not (tmp_path / "cell.json").exists()
