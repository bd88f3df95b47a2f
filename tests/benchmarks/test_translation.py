import importlib
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def translation():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("translation")
    finally:
        sys.path.pop(0)


def test_psnr_is_the_mean_over_images_and_that_of_all_pixels(translation):
    truth = [np.zeros((64, 64, 3), np.uint8), np.full((64, 64, 3), 100, np.uint8)]
    painted = [truth[0] + np.uint8(1), truth[1] + np.uint8(10)]
    scores = translation.score(painted, truth)
    assert scores["psnr"] == pytest.approx(20 * np.log10(255) - 10, abs=0.006)
    assert scores["psnr_of_all_pixels"] == pytest.approx(20 * np.log10(255) - 10 * np.log10(50.5), abs=0.006)


def test_crops_tile_the_images(translation):
    image = np.random.default_rng(0).integers(0, 256, (130, 70, 3)).astype(np.uint8)
    cut = translation.crops([image])
    assert cut.shape == (2, 3, 64, 64)
    np.testing.assert_allclose(cut[1].permute(1, 2, 0), image[64:128, :64] / 127.5 - 1, atol=1e-6)


def test_the_table_tells_what_was_scored(translation):
    row = {"psnr": 33.5, "psnr_of_all_pixels": 32.1, "mmd": 0.01}
    facts = {"images": 20, "pool": 57, "samples": 16, "steps": 10, "training_steps": 700}
    table = translation.tables(facts | {"scores": dict.fromkeys(translation.NAMES, row)})
    assert "| mean of 16 samples | 33.50 | 32.10 | 0.0100 |" in table
    assert "20 images of histology that no training saw; trained on 57 others, 700 steps" in table
