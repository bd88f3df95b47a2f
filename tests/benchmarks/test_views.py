import functools
import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def views(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    spec = importlib.util.spec_from_file_location("views", FOLDER / "views.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_objects_that_share_a_prediction_are_merged(views):
    truth = np.array([[1, 1, 0, 2, 2, 0, 3, 3, 0, 4, 4]])
    apart = np.array([[5, 5, 0, 6, 6, 0, 7, 7, 0, 0, 0]])
    assert views.merged(truth, apart) == 0
    together = np.array([[5, 5, 5, 5, 5, 0, 7, 7, 7, 7, 7]])
    assert views.merged(truth, together) == 4
    assert views.merged(truth, np.where(truth == 4, 0, together)) == 2
    half = np.array([[5, 5, 5, 5, 0, 0, 7, 7, 0, 0, 0]])  # no more than half of object 2
    assert views.merged(truth, half) == 0
    assert views.merged(0 * truth, apart) == 0


@pytest.fixture
def stain(tmp_path):
    """Bright disks on dark ground: trial 0 has a window of each of three images, trial 1 one of those and another."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64]
    for folder in ("images", "full-labels", "test/images", "test/labels"):
        (tmp_path / folder).mkdir(parents=True)
    for name in "abcd":
        labels = np.zeros((64, 64), np.uint16)
        for label, (top, left) in enumerate([(16, 16), (16, 46), (46, 18), (46, 46)], start=1):
            labels[(y - top) ** 2 + (x - left) ** 2 < rng.integers(40, 90)] = label
        image = np.where(labels > 0, 180, 60) + rng.integers(0, 20, labels.shape)
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", image.astype(np.uint8))
        tifffile.imwrite(tmp_path / "test" / "images" / f"{name}.tif", image.astype(np.uint8) + 1)
        tifffile.imwrite(tmp_path / "test" / "labels" / f"{name}.tif", labels)
        tifffile.imwrite(tmp_path / "full-labels" / f"{name}.tif", labels)
    seeds = {"0": "abc", "1": "cd"}
    places = {seed: [{"image": name, "y": 0, "x": 0} for name in names] for seed, names in seeds.items()}
    (tmp_path / "few-labels.json").write_text(json.dumps({"crop": 62, "seeds": places}))
    return tmp_path


def test_further_windows_come_from_other_images(views, stain):
    windows, further = views.windows_of(stain, 3, 0)
    assert [window.group for window in windows] == ["a", "b", "c"]
    assert [window.group for window in further] == ["d"]


def test_every_kind_of_view_finds_plain_disks(views, stain, capsys, monkeypatch):
    few = {"steps": 100, "members": 1, "views": 2, "decoder_views": 1, "folds": 3, "learning_rate": 0.01}
    monkeypatch.setattr(views, "PixelSettings", functools.partial(views.PixelSettings, **few))
    monkeypatch.setattr(views, "VARIANTS", {"turned": views.turned_view, "crowded": views.crowded})
    views.main(["--stain-dir", str(stain), "--labels", "3", "--trials", "3"])
    result = json.loads(capsys.readouterr().out)
    assert result["further_windows"] == 1
    assert [row["variant"] for row in result["views"]] == ["turned", "crowded"]
    for row in result["views"]:
        assert row["AP50_best"] == 1
        assert row["merged"] == 0
