import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
import tifffile

PATH = Path(__file__).parents[2] / "benchmarks" / "stains.py"


@pytest.fixture(scope="module")
def build_dataset():
    spec = importlib.util.spec_from_file_location("stains", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.build_dataset


@pytest.fixture
def stain(tmp_path):
    root = tmp_path / "stain"
    for folder in ("images", "full-labels", "test/images", "test/labels"):
        (root / folder).mkdir(parents=True)
    labels = np.arange(30, dtype=np.uint16).reshape(5, 6)
    tifffile.imwrite(root / "images/a.tif", labels.astype(np.uint8))
    tifffile.imwrite(root / "full-labels/a.tif", labels)
    tifffile.imwrite(root / "test/images/t.tif", labels.astype(np.uint8))
    tifffile.imwrite(root / "test/labels/t.tif", labels)
    windows = [{"image": "a", "y": 1, "x": 2}, {"image": "a", "y": 0, "x": 0}]
    (root / "few-labels.json").write_text(json.dumps({"crop": 2, "seeds": {"0": windows}}))
    return root


def test_cuts_the_first_windows_and_links_the_rest(build_dataset, stain, tmp_path):
    out = build_dataset(stain, tmp_path / "out", 1, 0)
    assert [path.name for path in (out / "labels").iterdir()] == ["a__y1_x2.tif"]
    np.testing.assert_array_equal(tifffile.imread(out / "labels/a__y1_x2.tif"), [[8, 9], [14, 15]])
    assert (out / "images/a.tif").is_symlink()
    assert (out / "test/labels/t.tif").is_file()


def test_an_earlier_trial_is_replaced_and_its_links_targets_stay(build_dataset, stain, tmp_path):
    build_dataset(stain, tmp_path / "out", 1, 0)
    out = build_dataset(stain, tmp_path / "out", 2, 0)
    assert len(list((out / "labels").iterdir())) == 2
    assert (stain / "images/a.tif").is_file()


def test_refuses_other_folders_and_more_windows_than_there_are(build_dataset, stain, tmp_path):
    with pytest.raises(ValueError, match="no 3 windows"):
        build_dataset(stain, tmp_path / "out", 3, 0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    with pytest.raises(ValueError, match="no trial"):
        build_dataset(stain, tmp_path / "mine", 1, 0)
    assert (tmp_path / "mine/file").exists()
