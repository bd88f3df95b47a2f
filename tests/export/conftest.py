import numpy as np
import pytest

from fewstain.images.write import write_image, write_labels
from fewstain.provenance import write_record

# 1 is a ring, 2 in two pieces, 3 touches 2 and the image's corner, 5 a single pixel, 6 touches itself at a corner
LABELS = np.array(
    [
        [1, 1, 1, 0, 2, 2, 3, 3, 3, 3],
        [1, 0, 1, 0, 2, 2, 3, 3, 3, 3],
        [1, 1, 1, 0, 0, 0, 0, 3, 3, 3],
        [0, 0, 0, 0, 2, 0, 0, 0, 0, 0],
        [0, 5, 0, 0, 2, 2, 0, 6, 0, 0],
        [0, 0, 0, 0, 2, 2, 0, 0, 6, 6],
    ]
)


def results_folder(root, pixels, size=0.5, rgb=None):
    """A dataset of images "a.b" and "c" (empty), and results of it with masks."""
    results, data = root / "results" / "my stain", root / "data" / "my stain"
    for name in ("a.b", "c"):
        write_image(data / "images" / f"{name}.tif", pixels, rgb=rgb)
    write_labels(results / "masks" / "a.b.tif", LABELS)
    write_labels(results / "masks" / "c.tif", np.zeros_like(LABELS))
    write_record(results / "dataset.json", data, {}, size)
    return results


@pytest.fixture
def pixels():
    """RGB, 6 x 10, each value its own."""
    return np.arange(180, dtype=np.uint8).reshape(6, 10, 3)


@pytest.fixture
def results(tmp_path, pixels):
    return results_folder(tmp_path, pixels)


@pytest.fixture
def with_pairs(results, pixels):
    """The same with one synthetic pair."""
    write_image(results / "pairs" / "images" / "000001.tif", pixels[::-1])
    write_labels(results / "pairs" / "labels" / "000001.tif", LABELS[::-1])
    return results
