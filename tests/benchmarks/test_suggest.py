import importlib.util
import sys
from pathlib import Path

import numpy as np
import tifffile

from fewstain.dataset import open_dataset
from fewstain.suggest import Suggestion

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))
SPEC = importlib.util.spec_from_file_location("benchmark_suggest", FOLDER / "suggest.py")
suggest = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(suggest)


def stain(folder, labels):
    for place in ("images", "full-labels"):
        (folder / place).mkdir(parents=True)
    tifffile.imwrite(folder / "images" / "a.tif", np.arange(labels.size, dtype=np.uint16).reshape(labels.shape))
    tifffile.imwrite(folder / "full-labels" / "a.tif", labels)
    return [folder / "images" / "a.tif"], {"a": folder / "full-labels" / "a.tif"}


def test_a_trial_is_labeled_from_the_full_labels(tmp_path):
    labels = np.zeros((16, 32), np.uint16)
    labels[2:6, 18:22], labels[8:12, 24:28] = 3, 7
    images, full = stain(tmp_path / "stain", labels)
    window = Suggestion("a__y0_x16", images[0], 0, 16, 16)
    assert suggest.write_trial(tmp_path / "data", [window], full) == 2
    (written,) = open_dataset(tmp_path / "data").windows
    assert (written.y, written.x) == (0, 16)
    np.testing.assert_array_equal(tifffile.imread(written.labels), labels[:, 16:])


def test_random_windows_have_objects_in_them(tmp_path):
    labels = np.zeros((16, 48), np.uint16)
    labels[2:6, 18:22] = 1
    images, full = stain(tmp_path / "stain", labels)
    chosen = suggest.chosen(suggest.RANDOM, images, full, 3, 16, 0, tmp_path)
    assert [window.name for window in chosen] == ["a__y0_x16"]
    every = suggest.chosen(suggest.ALL, images, full, 0, 16, 0, tmp_path)
    assert every == chosen


def test_the_lead_is_that_over_random_windows_of_the_same_seed():
    trials = [
        {"arm": arm, "seed": seed, "AP50": score, "objects": 10}
        for arm, scores in ((suggest.RANDOM, (0.5, 0.75)), (suggest.DENOISER, (0.75, 0.75)))
        for seed, score in enumerate(scores)
    ]
    text = suggest.table({"stain": "discs", "n": 20, "on": "test", "preset": "demo", "trials": trials})
    assert "| random | 0.625 (0.125) | – | 10 | 2 |" in text
    assert "| by the denoiser | 0.750 (0.000) | +0.125 (0.125) | 10 | 2 |" in text
