import importlib
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parents[2] / "benchmarks"


def test_a_mosaic_repeats_an_image_and_its_mirror_images(monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    pixels = np.array([[1, 2, 3], [4, 5, 6]])[..., None]
    assert importlib.import_module("large_image").mosaic(pixels, 5)[..., 0].tolist() == [
        [1, 2, 3, 3, 2],
        [4, 5, 6, 6, 5],
        [4, 5, 6, 6, 5],
        [1, 2, 3, 3, 2],
        [1, 2, 3, 3, 2],
    ]
