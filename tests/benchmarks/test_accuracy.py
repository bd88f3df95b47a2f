import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile

from fewstain.settings import PixelSettings, Settings

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def accuracy(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("accuracy", FOLDER / "accuracy.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    few = Settings(pixels=PixelSettings(folds=2, decoder_trials=2, decoder_views=1))
    monkeypatch.setattr(module, "resolve", lambda preset: few)
    yield module
    sys.modules.pop("stains", None)


@pytest.fixture
def stain(tmp_path):
    """Bright disks on dark ground: four pool images with a window each, one test image."""
    rng = np.random.default_rng(0)
    root = tmp_path / "disks"
    y, x = np.mgrid[:64, :64]
    windows = []
    for name in ("a", "b", "c", "d", "test/t"):
        labels = np.zeros((64, 64), np.uint16)
        for label, (top, left) in enumerate([(16, 16), (16, 46), (46, 18), (46, 46)], start=1):
            labels[(y - top) ** 2 + (x - left) ** 2 < rng.integers(40, 90)] = label
        image = np.where(labels > 0, 180, 60) + rng.integers(0, 20, labels.shape)
        folder, truth = ("test/images", "test/labels") if "/" in name else ("images", "full-labels")
        for place, pixels in ((folder, image.astype(np.uint8)), (truth, labels)):
            (root / place).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(root / place / f"{name[-1]}.tif", pixels)
        if folder == "images":
            windows.append({"image": name, "y": 0, "x": 0})
    (root / "few-labels.json").write_text(json.dumps({"crop": 62, "seeds": {"0": windows}}))
    return root


@pytest.mark.parametrize("method", [["forest"], ["unet", "--steps", "1"]])
def test_a_baseline_is_fitted_tuned_and_scored(accuracy, stain, tmp_path, capsys, method):
    out = tmp_path / "out"
    accuracy.main(
        [*("--stain-dir", str(stain), "--out", str(out), "--labels", "4", "--preset", "demo"), "--method", *method]
    )
    result = json.loads(capsys.readouterr().out)
    assert result == json.loads((out / "accuracy.json").read_text())
    assert (result["stain"], result["method"], result["n_labels"], result["seed"]) == ("disks", method[0], 4, 0)
    assert result["test"]["n_objects"] == 4
    assert result["command"].startswith("python benchmarks/accuracy.py --stain-dir disks --method")
    assert tifffile.imread(out / "masks" / "t.tif").shape == (64, 64)
    if method == ["forest"]:
        assert result["test"]["AP50"] == 1


def test_a_unet_needs_a_budget(accuracy, tmp_path, capsys):
    with pytest.raises(SystemExit):
        accuracy.parse(["--stain-dir", "x", "--out", str(tmp_path), "--method", "unet"])
    assert "either --steps or --seconds" in capsys.readouterr().err
