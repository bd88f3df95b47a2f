"""Training of the denoiser on a pool of unlabeled images."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torch.utils._triton import has_triton

from fewstain.dataset import Dataset
from fewstain.diffusion.folder import check_replaceable
from fewstain.diffusion.levels import Predict
from fewstain.diffusion.loop import run
from fewstain.diffusion.network import Denoiser, build_denoiser
from fewstain.diffusion.objective import prediction_loss
from fewstain.diffusion.pool import CropSource
from fewstain.diffusion.pool_index import remove_pixels
from fewstain.diffusion.record import CONTENTS, DenoiserRecord, write_denoiser
from fewstain.diffusion.seeding import seeded
from fewstain.diffusion.session import open_session
from fewstain.diffusion.state import Training
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings

COMPILE_STEPS = 2000  # torch.compile takes a minute or so: shorter trainings do not earn it back

Kind = TypeVar("Kind", bound=Denoiser)


def train_diffusion(
    dataset: Dataset,
    out: Path,
    state: Path,
    settings: DiffusionSettings,
    *,
    channels: tuple[int, ...] | None = None,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train a denoiser on the pool of a dataset, or go on where the last call was stopped.

    Parameters
    ----------
    dataset
        Only its `images` are read.
    out
        Folder that takes the trained denoiser: `Denoiser.save`'s layout, fewstain.json, loss.csv, samples.png. It
        appears whole, at the end.
    state
        Folder of the training state. It outlives the call; the normalised pool in it does not outlive the training.
    settings
        The `diffusion` section.
    channels
        Which of the images' channels to model, counted from 0; None for all.
    seed
        Of weights, crops, noise and samples; not negative.
    restart
        Forget a state that is damaged, or of other settings or another pool, instead of refusing it.

    Raises
    ------
    UserError
        Settings or images have changed since the state was saved; a damaged state; bad images; a diverging loss.
    KeyboardInterrupt
        Ctrl-C, after the state was saved.
    """
    start = time.monotonic()
    check_replaceable(out, CONTENTS, DenoiserRecord.holder)
    if settings.crop % settings.stride:
        raise UserError(f"diffusion.crop is {settings.crop}; this network needs a multiple of {settings.stride}")
    session = open_session(dataset, state, settings, "diffusion", channels=channels, seed=seed, restart=restart)
    accelerator = session.accelerator
    training = session.training(new_denoiser(settings, len(session.index.channels), seed), settings)
    if not session.finished:
        predict = compiled(training, settings, accelerator.device)
        pool = session.pool()

        def loss_of(step: int) -> Tensor:
            random = np.random.default_rng((seed, step))
            return denoising_loss(predict, training, pool, settings, accelerator, random)

        run(training, loss_of, settings, accelerator, state)
    write_denoiser(out, training, session.index, settings, seed, session_seconds=time.monotonic() - start)
    remove_pixels(state)


def new_denoiser(settings: DiffusionSettings, image_channels: int, seed: int) -> Denoiser:
    """Make an untrained denoiser whose weights are a function of the seed."""
    with seeded(seed):
        return build_denoiser(settings, image_channels)


def denoising_loss(
    predict: Predict,
    training: Training[Denoiser],
    pool: CropSource,
    settings: DiffusionSettings,
    accelerator: Accelerator,
    random: np.random.Generator,
) -> Tensor:
    """Mean squared error of a batch of crops of the pool; () on the device, with its graph.

    Parameters
    ----------
    random
        The only source of chance.
    """
    clean = training.precision.lay_out(pool.crops(settings.batch_size, settings.crop, random))
    share = settings.small_timestep_share
    return prediction_loss(predict, training.network.scheduler, clean, share, accelerator, random)


def compiled(training: Training[Kind], settings: DiffusionSettings, device: torch.device) -> Predict:
    """Compile the network where that pays; judged by the length of the whole training, so that all sessions agree."""
    if device.type != "cuda" or settings.steps < COMPILE_STEPS or not has_triton():
        return training.network
    torch._dynamo.config.suppress_errors = True  # what it cannot compile runs as it is
    network: Predict = torch.compile(training.network)
    return network
