import json

import numpy as np
import pytest
import tifffile


@pytest.fixture(scope="session")
def disks_stain(tmp_path_factory):
    """Bright disks on dark ground: four pool images with a window each, one test image."""
    rng = np.random.default_rng(0)
    root = tmp_path_factory.mktemp("stain") / "disks"
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
