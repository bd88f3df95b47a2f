import importlib.util
import sys
from pathlib import Path

import numpy as np
import torch

from fewstain.images.normalise import Normaliser
from fewstain.images.write import write_image

FOLDER = Path(__file__).parents[2] / "benchmarks"
sys.path.insert(0, str(FOLDER))
SPEC = importlib.util.spec_from_file_location("benchmark_pairs", FOLDER / "pairs.py")
pairs = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(pairs)
RESULT = {
    "name": "discs",
    "kind": "layout",
    "side": 32,
    "generated": 10,
    "kept": 4,
    "dropped": {"layout agreement": 6},
    "memorised": 0,
    "held_out": 8,
    "compared": 4,
    "agreement_limit": 0.5,
    "agreement_median": 0.625,
    "seconds": 120.0,
    "realism": {
        "pairs": {"frechet": 12.34, "mmd": 1.5, "pixels": 0.5},
        "real": {"frechet": 1.25, "mmd": 0.0, "pixels": 0.125},
    },
}


def test_the_tables_tell_what_was_measured_and_what_was_not():
    text = pairs.tables([RESULT, RESULT | {"kind": "image"}], [])
    assert "| discs | layout | 10 | 4 | 0 | 0.62, 0.50 | 5.0 |" in text
    assert "| discs | image | 10 | 4 | 0 |  | 5.0 |" in text
    assert "| discs | real images | 4 | 1.2 | 0.00 | 0.12 |" in text
    assert "not measured yet" in text


def segmenter_row(seed, score):
    scores = {"AP50": score, "PQ": 0.25, "both_AP50": 0.75, "both_PQ": 0.5}
    facts = {"stain": "discs", "pairs": "labels", "start": "random weights", "labels": 24, "steps": 800, "seed": seed}
    return facts | scores | {"threads": 2, "megapixels_per_second": {"ensemble": 0.1, "segmenter": 0.5}}


def test_the_segmenters_scores_are_means_over_seeds():
    text = pairs.tables([RESULT], [segmenter_row(1, 0.25), segmenter_row(0, 0.75)])
    assert "| discs | labels | random weights | 0.500 | 0.250 | 0.750 | 0.500 | 24 | 800 | 0, 1 |" in text
    assert "Maps of discs: 0.50 Mpixel/s by the segmenter, 0.10 by the ensemble, on 2 threads of a CPU." in text


def test_crops_are_of_the_side_and_taken_in_turn_from_each_image(tmp_path):
    paths = []
    for name, level in (("a", 10), ("b", 200)):
        pixels = np.full((20, 20), level, np.uint8)
        pixels[0, 0] = 255 - level
        write_image(tmp_path / f"{name}.tif", pixels)
        paths.append(tmp_path / f"{name}.tif")
    found = pairs.crops(paths, 8, 3, Normaliser(floor=(255.0,)))
    assert found.shape == (3, 1, 8, 8)
    assert torch.equal(found[0], found[2])
