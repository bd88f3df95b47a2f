import importlib
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def benchmark():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("latent")
    finally:
        sys.path.pop(0)


@pytest.fixture(scope="module")
def table():
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("latent_table")
    finally:
        sys.path.pop(0)


def test_blur_keeps_what_is_smooth_and_loses_what_is_fine(benchmark):
    smooth = torch.full((1, 3, 8, 12), 0.3)
    torch.testing.assert_close(benchmark.blurred(smooth, 4), smooth)
    fine = (torch.arange(8) % 2 * 2.0 - 1).expand(1, 1, 8, 8)
    torch.testing.assert_close(benchmark.blurred(fine, 4), torch.zeros(1, 1, 8, 8))


def test_crops_come_from_all_images_with_room_and_no_others(benchmark):
    images = [torch.full((1, 1, side, 9), float(side)) for side in (4, 8, 9)]
    crops = benchmark.crops(images, 4, 8, seed=0)
    assert crops.shape == (4, 1, 8, 8)
    assert crops[:, 0, 0, 0].tolist() == [8, 9, 8, 9]


def test_what_makes_no_whole_latent_is_left_out(benchmark):
    assert benchmark.cut(torch.zeros(1, 1, 11, 8), 4).shape == (1, 1, 8, 8)


def test_tables_say_which_side_was_trained_on_and_what_real_crops_get(table):
    result = {
        "stain": "histology",
        "steps": 30,
        "train_steps": 60,
        "crop": {"latent": 64, "pixels": 64},
        "reconstruction": {
            "images": 20,
            "psnr": 24.04,
            "worst_psnr": 20.0,
            "ssim": 0.8,
            "blur_psnr": 19.96,
            "blur_ssim": 0.5,
        },
        "seams": {"rms": 0.0123},
        "sampling": {
            "latent": [
                {"side": 64, "seconds_per_image": 0.5, "frechet": 40.4},
                {"side": 128, "seconds_per_image": 2.0, "frechet": 50.6},
            ],
            "pixels": [{"side": 64, "seconds_per_image": 1.5, "frechet": 60.0}],
            "real": [{"side": 64, "frechet": 10.0}, {"side": 128, "frechet": 20.0}],
        },
    }
    lines = table.tables([result]).splitlines()
    assert "| histology, 20; 60 steps | 24.0 | 20.0 | 0.800 | 20.0, 0.500 | 1.23 % |" in lines
    assert "| histology, latent, 30 steps | 64 (trained) | 0.50 | 40 | 10 |" in lines
    assert "| histology, latent, 30 steps | 128 | 2.00 | 51 | 20 |" in lines
    assert "| histology, pixels, 30 steps | 64 (trained) | 1.50 | 60 | 10 |" in lines
