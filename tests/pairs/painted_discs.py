"""A stain that can be learned in seconds, bright discs on a dark ground, with all that pairs are made with."""

import numpy as np
import torch
from skimage.draw import disk

from fewstain.diffusion.network import load_denoiser
from fewstain.diffusion.record import read_record
from fewstain.pair_settings import LayoutSettings, PainterSettings
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.features import DiffusionFeatures
from fewstain.pixels.folder import save_pixels
from fewstain.pixels.record import PixelsRecord
from fewstain.settings import DiffusionSettings

SIDE = 32
TINY = {"channels": (8, 8), "crop": 16, "batch_size": 4, "warmup_steps": 2, "ema_decay": 0.9, "samples": 1}
DENOISER = DiffusionSettings(**TINY, steps=8, sample_steps=2)
LAYOUTS = LayoutSettings(**TINY, steps=8, sample_steps=2)
PAINTER = PainterSettings(**{key: value for key, value in TINY.items() if key != "channels"}, steps=8, sample_steps=2)


def discs_of(random, n=4, side=SIDE):
    """(side, side) labels of discs that may touch or overlap."""
    labels = np.zeros((side, side), np.uint16)
    for label in range(1, n + 1):
        labels[disk(random.integers(4, side - 4, 2), random.integers(4, 7), shape=labels.shape)] = label
    return labels


def stained(labels, random):
    """Make the image of a layout, uint8."""
    clean = np.where(labels > 0, 190, 30)
    return np.clip(clean + random.normal(0, 8, labels.shape), 0, 255).astype(np.uint8)


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
