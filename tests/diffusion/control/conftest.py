"""A stain that can be learned in seconds: bright discs on a dark ground, a denoiser of it, and a control."""

import numpy as np
import pytest
import tifffile
from skimage.draw import disk

from fewstain.dataset import open_dataset
from fewstain.diffusion.control.training import train_control
from fewstain.diffusion.training import train_diffusion
from fewstain.settings import ControlSettings, DiffusionSettings

SIDE = 32
BASE = DiffusionSettings(
    unshuffle=2,
    channels=(16, 16),
    betas="cosine",
    prediction="v_prediction",
    crop=SIDE,
    batch_size=8,
    steps=200,
    learning_rate=1e-2,
    warmup_steps=10,
    small_timestep_share=0,
    ema_decay=0.9,
    samples=0,
)
CONTROL = ControlSettings(
    crop=SIDE, batch_size=8, steps=200, learning_rate=1e-2, warmup_steps=10, ema_decay=0.9, samples=2, sample_steps=2
)


def discs(random, n=3):
    """(SIDE, SIDE) labels of discs that may touch or overlap."""
    labels = np.zeros((SIDE, SIDE), np.uint16)
    for label in range(1, n + 1):
        labels[disk(random.integers(4, SIDE - 4, 2), random.integers(4, 7), shape=labels.shape)] = label
    return labels


def stained(labels, random):
    """Make the image of a layout, (SIDE, SIDE) uint16."""
    clean = np.where(labels > 0, 40_000, 5_000)
    return (clean + random.normal(0, 1500, labels.shape)).astype(np.uint16)


@pytest.fixture(scope="session")
def layouts():
    """Layouts that no network saw in training, (4, SIDE, SIDE)."""
    random = np.random.default_rng(99)
    return np.stack([discs(random) for _ in range(4)])


@pytest.fixture(scope="session")
def stain(tmp_path_factory):
    """Folder with images of discs, data/, their layouts, masks/, a denoiser, base/, and its control, control/."""
    folder = tmp_path_factory.mktemp("stain")
    (folder / "data" / "images").mkdir(parents=True)
    (folder / "masks").mkdir()
    random = np.random.default_rng(0)
    for number in range(24):
        labels = discs(random)
        tifffile.imwrite(folder / "data" / "images" / f"{number}.tif", stained(labels, random))
        tifffile.imwrite(folder / "masks" / f"{number}.tif", labels)
    dataset = open_dataset(folder / "data")
    train_diffusion(dataset, folder / "base", folder / "base_state", BASE)
    train_control(folder / "base", dataset, folder / "control", folder / "state", CONTROL, layouts=folder / "masks")
    return folder
