import importlib.util
import sys
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))
SPEC = importlib.util.spec_from_file_location("benchmark_across", FOLDER / "across.py")
across = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(across)


def test_colours_become_grey_and_dark_becomes_bright():
    pixels = np.array([[[0, 30, 60], [90, 120, 150]]], np.uint8)
    np.testing.assert_array_equal(across.grey(pixels), np.array([[[30], [120]]], np.uint8))
    np.testing.assert_array_equal(across.inverted(pixels), np.array([[[90], [0]]], np.uint8))


def test_the_table_says_what_was_carried_over_and_how_each_way_scores():
    result = {
        "stain": "histology",
        "source": "fluorescence",
        "labels": 24,
        "seed": 0,
        "size": 1.25,
        "strength": 0.4,
        "pairs made": 64,
        "pairs kept": 50,
        "as it is, grey": {"AP50": 0.125, "PQ": 0.25, "objects": 300, "true objects": 400},
        "fitted to repainted windows": {"AP50": 0.5, "PQ": 0.375, "objects": 390, "true objects": 400},
    }
    text = across.table(result)
    assert (
        "by 24 labeled windows of fluorescence, objects enlarged 1.25 times, SDEdit of strength 0.4, 50 of 64" in text
    )
    assert "| as it is, grey | 0.125 | 0.250 | 300, 400 |" in text
    assert text.endswith("| fitted to repainted windows | 0.500 | 0.375 | 390, 400 |")


def test_a_stain_is_laid_out_without_a_label(tmp_path, discs, labeled_dataset):
    stain = labeled_dataset(tmp_path / "stain", {"a": discs(0)}).root
    (stain / "test").mkdir()
    for part in ("images", "labels"):
        (stain / "test" / part).mkdir()
        (stain / "test" / part / "b.tif").write_bytes((stain / part / "a.tif").read_bytes())
    dataset = across.unlabeled(stain, tmp_path / "out")
    assert [path.name for path in dataset.images] == ["a.tif"]
    assert dataset.windows == ()
    assert [each.image.name for each in dataset.test] == ["b.tif"]
