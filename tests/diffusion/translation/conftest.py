"""Pairs whose mapping is known: a grey picture, and one of two colours that only its ground can tell apart."""

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from fewstain.dataset import open_dataset
from fewstain.diffusion.translation.training import train_translation
from fewstain.settings import TranslationSettings

SIDE = 32
SETTINGS = TranslationSettings(
    unshuffle=2,
    channels=(16, 16),
    betas="cosine",
    crop=16,
    batch_size=8,
    steps=600,
    learning_rate=3e-3,
    warmup_steps=10,
    ema_decay=0.9,
    samples=2,
    sample_steps=2,
)


def pair(random, red):
    """A source (SIDE, SIDE) and its target (SIDE, SIDE, 3), both uint8.

    Grounds are darker where the target is red; spots have the same greys in both, so that no table tells their colour.
    """
    spots = gaussian_filter((random.random((SIDE, SIDE)) < 0.03).astype(float), 1.5) > 0.03
    grey = np.where(spots, 160, 40 if red else 90) + random.integers(-5, 6, (SIDE, SIDE))
    colour = np.stack([grey, grey // 2, grey // 4], axis=-1)
    return grey.astype(np.uint8), (colour if red else colour[..., ::-1]).astype(np.uint8)


@pytest.fixture(scope="session")
def colours(tmp_path_factory):
    """Folder with targets, data/, their sources, grey/, further pairs, new/, and a translation, trained/."""
    folder = tmp_path_factory.mktemp("colours")
    random = np.random.default_rng(0)
    for place in ("data/images", "grey", "new/images", "new/grey"):
        (folder / place).mkdir(parents=True)
    for number in range(24):
        grey, colour = pair(random, red=number % 2 == 0)
        targets, sources = ("new/images", "new/grey") if number >= 20 else ("data/images", "grey")
        tifffile.imwrite(folder / targets / f"{number}.tif", colour, photometric="rgb")
        tifffile.imwrite(folder / sources / f"{number}.tif", grey)
    train_translation(open_dataset(folder / "data"), folder / "grey", folder / "trained", folder / "state", SETTINGS)
    return folder
