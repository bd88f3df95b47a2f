"""A stain that can be learned in seconds, bright discs on a dark ground, with all that pairs are made with."""

import numpy as np
import pytest
import tifffile
import torch
from skimage.draw import disk

from fewstain.dataset import open_dataset
from fewstain.diffusion.network import load_denoiser
from fewstain.diffusion.record import read_record
from fewstain.diffusion.training import train_diffusion
from fewstain.pair_settings import LayoutSettings, PainterSettings
from fewstain.pairs.painter_training import train_painter
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.features import DiffusionFeatures
from fewstain.pixels.model import save_pixels
from fewstain.pixels.record import PixelsRecord
from fewstain.provenance import write_record
from fewstain.settings import DiffusionSettings

SIDE = 32
TINY = {"channels": (8, 8), "crop": 16, "batch_size": 4, "warmup_steps": 2, "ema_decay": 0.9, "samples": 1}
DENOISER = DiffusionSettings(**TINY, steps=8, sample_steps=2)
LAYOUTS = LayoutSettings(**TINY, steps=8, sample_steps=2)
PAINTER = PainterSettings(**{key: value for key, value in TINY.items() if key != "channels"}, steps=8, sample_steps=2)


@pytest.fixture(scope="session", autouse=True)
def _one_precision():
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_MIXED_PRECISION", "no")
        yield


def discs(random, n=4, side=SIDE):
    """(side, side) labels of discs that may touch or overlap."""
    labels = np.zeros((side, side), np.uint16)
    for label in range(1, n + 1):
        labels[disk(random.integers(4, side - 4, 2), random.integers(4, 7), shape=labels.shape)] = label
    return labels


def stained(labels, random):
    """Make the image of a layout, uint8."""
    clean = np.where(labels > 0, 190, 30)
    return np.clip(clean + random.normal(0, 8, labels.shape), 0, 255).astype(np.uint8)


@pytest.fixture(scope="session")
def unpainted(tmp_path_factory):
    """Folder with data/ and results/, which has diffusion/, pixels/, masks/ and dataset.json: all but a painter."""
    folder = tmp_path_factory.mktemp("stain")
    random = np.random.default_rng(0)
    for part in ("data/images", "data/labels", "results/masks"):
        (folder / part).mkdir(parents=True)
    for number in range(8):
        labels = discs(random)
        tifffile.imwrite(folder / "data" / "images" / f"{number}.tif", stained(labels, random))
        tifffile.imwrite(folder / "results" / "masks" / f"{number}.tif", labels)
        if number < 2:
            tifffile.imwrite(folder / "data" / "labels" / f"{number}.tif", labels)
    train_diffusion(open_dataset(folder / "data"), folder / "results" / "diffusion", folder / "state", DENOISER)
    fake_pixels(folder / "results")
    write_record(folder / "results" / "dataset.json", folder / "data", {})
    return folder


def fake_pixels(results):
    """Write an ensemble that nobody fitted, but whose every part is in place."""
    denoiser, source = load_denoiser(results / "diffusion"), read_record(results / "diffusion")
    blocks = ("up0.1", "up1.1")
    extractor = DiffusionFeatures(denoiser, (20, 80), blocks)
    features = sum(each.shape[1] for each in extractor.maps(torch.zeros(1, 1, 16, 16)))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ensemble = PixelEnsemble(2, features, 3, hidden=(8, 4))
    record = PixelsRecord(
        timesteps=(20, 80),
        blocks=blocks,
        noise_draws=1,
        filters=False,
        seed=3,
        autocast=False,
        classes=("object",),
        decoder=Consensus((DecoderParameters(min_area=4, max_radius=8),)),
        members=2,
        hidden=(8, 4),
        features=features,
        normaliser=source.normaliser,
        channels=source.channels,
        file_channels=1,
        dtype="uint8",
        n_labels=2,
        out_of_fold={"PQ": 0.5},
    )
    save_pixels(results / "pixels", ensemble, record, results / "diffusion")


@pytest.fixture(scope="session")
def stain(unpainted):
    """The same with results/painter, hardly trained."""
    train_painter(
        unpainted / "results", open_dataset(unpainted / "data"), unpainted / "painter_state", LAYOUTS, PAINTER
    )
    return unpainted
