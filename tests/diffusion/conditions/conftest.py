"""Tiny stains that differ clearly, and denoisers trained on them for a few seconds."""

import numpy as np
import pytest
import tifffile
import torch
from scipy.ndimage import gaussian_filter
from skimage.color import hsv2rgb

from fewstain.dataset import open_dataset
from fewstain.diffusion.conditions.network import build_conditional
from fewstain.diffusion.conditions.training import train_few_shot, train_words
from fewstain.diffusion.conditions.words import WordEncoder
from fewstain.settings import ConditionalSettings

TINY = ConditionalSettings(
    unshuffle=4,
    channels=(16,),
    crop=32,
    batch_size=8,
    steps=400,
    learning_rate=3e-3,
    warmup_steps=10,
    ema_decay=0.9,
    checkpoint_seconds=60,
    token_width=16,
    set_size=3,
    samples=4,
    sample_steps=2,
)
HUES = tuple(np.arange(12) / 12)
HELD_HUES = tuple((np.arange(6) + 0.25) / 6)  # each between two of the others


def texture(scale, random, side=96):
    """Grey noise, smooth over `scale` pixels, from 0 to 1."""
    field = gaussian_filter(random.standard_normal((side, side)), scale, mode="wrap")
    return (field - field.min()) / (field.max() - field.min())


def make_spots(folder, words="DAPI, heart, 20x"):
    """Write grey images of 16 bit: bright spots on dark."""
    random = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    for number in range(3):
        spots = gaussian_filter((random.random((96, 96)) < 0.01).astype(float), 2)
        tifffile.imwrite(folder / "images" / f"{number}.tif", (spots / spots.max() * 60000).astype(np.uint16))
    (folder / "words.txt").write_text(words)
    return open_dataset(folder)


def make_section(folder, words="H&E, colon"):
    """Write RGB images of 8 bit: purple on pink."""
    random = np.random.default_rng(1)
    (folder / "images").mkdir(parents=True)
    for number in range(2):
        share = texture(2, random)[..., None]
        pixels = share * np.array([110, 60, 140]) + (1 - share) * np.array([250, 200, 240])
        tifffile.imwrite(folder / "images" / f"{number}.tif", pixels.astype(np.uint8), photometric="rgb")
    (folder / "words.txt").write_text(words)
    return open_dataset(folder)


def make_colours(folder, hues=HUES):
    """Write RGB images of 8 bit, each in a colour of its own."""
    random = np.random.default_rng(0)
    (folder / "images").mkdir(parents=True)
    for number, hue in enumerate(hues):
        pixels = hsv2rgb(np.stack(np.broadcast_arrays(hue, 0.8, 0.5 + 0.4 * texture(3, random)), axis=-1))
        tifffile.imwrite(folder / "images" / f"{number}.tif", (pixels * 255).astype(np.uint8), photometric="rgb")
    return open_dataset(folder)


@pytest.fixture
def tiny_words():
    """An untrained denoiser of words for grey images, two levels deep, on blocks of 2 x 2 pixels."""
    settings = TINY.model_copy(update={"channels": (8, 16), "unshuffle": 2})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        encoder = WordEncoder.of([("dapi", "heart"), ("h&e",)], 16)
        return build_conditional(settings, 1, encoder).eval()


def learn_words(folder, settings):
    """Train a denoiser of words, out/, on the data sets spots/ and section/; the folder of all."""
    datasets = [make_spots(folder / "spots"), make_section(folder / "section")]
    train_words(datasets, folder / "out", folder / "state", settings)
    return folder


def learn_sets(folder, settings):
    """Train a denoiser of sets, out/, on the data set seen/; the folder of both, and of held/ of the same kind."""
    make_colours(folder / "held", HELD_HUES)
    train_few_shot([make_colours(folder / "seen")], folder / "out", folder / "state", settings)
    return folder


@pytest.fixture(scope="session")
def words_model(tmp_path_factory):
    """What `learn_words` makes."""
    return learn_words(tmp_path_factory.mktemp("words"), TINY)


@pytest.fixture(scope="session")
def few_shot_model(tmp_path_factory):
    """What `learn_sets` makes."""
    return learn_sets(tmp_path_factory.mktemp("few-shot"), TINY)
