"""Training of a baseline's network on the unlabeled pool: resumable, as the denoiser's, and as long as told."""

from __future__ import annotations

import math
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from accelerate import Accelerator
from torch import Tensor, nn

from fewstain.dataset import Dataset
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.diffusion.loop import run
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.pool_index import remove_pixels
from fewstain.diffusion.record import LOSS_FILE, RECORD_FILE, describe, write_losses
from fewstain.diffusion.seeding import seeded
from fewstain.diffusion.session import Session, open_session
from fewstain.diffusion.state import Training
from fewstain.images.normalise import Normaliser
from fewstain.settings import TrainingSettings
from fewstain.storage import read_json, write_json

PROBE_STEPS = 20  # by which a step's time is estimated, after as many that are not timed
BUDGET_FILE = "budget.json"

Settings = TypeVar("Settings", bound=TrainingSettings)
Network = TypeVar("Network", bound=nn.Module)
StepLoss = Callable[[Training[Network], Pool, int, Accelerator], Tensor]


@dataclass(frozen=True)
class Pretrained:
    """What the folder of any training on the pool tells of it."""

    normaliser: Normaliser
    channels: tuple[int, ...]
    wall_seconds: float


def read_pretrained(folder: Path) -> Pretrained:
    """Read the record of a denoiser, a VAE, a masked autoencoder or a GAN; UserError where there is none."""
    values = read_json(folder / RECORD_FILE)
    return Pretrained(
        Normaliser.from_dict(values["normaliser"]), tuple(values["channels"]), float(values["wall_seconds"])
    )


def train_on_pool(
    dataset: Dataset,
    out: Path,
    state: Path,
    settings: TrainingSettings,
    *,
    section: str,
    build: Callable[[int], Network],
    loss: StepLoss[Network],
    save: Callable[[Network, Path], Path],
    contents: set[str],
    channels: tuple[int, ...] | None,
    seed: int,
) -> None:
    """Train a network on the pool, or go on where the last call was stopped.

    Parameters
    ----------
    dataset
        Only its `images` are read.
    out
        Folder that takes the network; it appears whole, at the end.
    state
        Folder of the training state, as of `train_diffusion`.
    settings
        Of the training.
    section
        Their name, in messages and in the identity of the state.
    build
        Number of image channels -> an untrained network; its chance is of the seed.
    loss
        Of a step, by its number.
    save
        Writes the network, with averaged weights, into a folder, and returns the weight file.
    contents
        Names of what `save` writes.
    channels, seed
        As of `train_diffusion`.

    Raises
    ------
    UserError
        As `train_diffusion`.
    """
    start = time.monotonic()
    check_replaceable(out, {*contents, RECORD_FILE, LOSS_FILE, ".snakemake_timestamp"}, f"a {section} folder")
    session: Session = open_session(dataset, state, settings, section, channels=channels, seed=seed, restart=False)
    with seeded(seed):
        network = build(len(session.index.channels))
    learned = [each for each in network.parameters() if each.requires_grad]  # not what a library keeps fixed
    training = session.training(network, settings, learned)
    if not session.finished:
        pool, accelerator = session.pool(), session.accelerator
        run(
            training,
            lambda step: loss(training, pool, step, accelerator),
            settings,
            accelerator,
            state,
            title=f"training the {section}",
        )
    network = training.averaged()
    with replaced_folder(out) as folder:
        weights = save(network, folder)
        write_losses(folder, training.losses.tolist())
        seconds = max(time.monotonic() - start, training.seconds)
        describe(training, session.index, settings, seed, wall_seconds=seconds, weights=weights).write(folder)
    remove_pixels(state)


def crops_of(pool: Pool, settings: TrainingSettings, seed: int, step: int) -> tuple[Tensor, np.random.Generator]:
    """Draw the crops of a step (B, C, crop, crop), and give the generator for what else is drawn in it."""
    random = np.random.default_rng((seed, step))
    return pool.crops(settings.batch_size, settings.crop, random), random


def within_seconds(
    train: Callable[[Path, Path, Settings], Any], settings: Settings, seconds: float, state: Path, period: int = 1
) -> Settings:
    """Give a training as many steps as it can make in a time, measured by a few steps of its own.

    A process's first steps are slower than all others, so a few are made before those that are timed. The number is
    kept in `state`, so that a training that goes on does so with the same.

    Parameters
    ----------
    train
        (out, state, settings) -> None, the training.
    settings
        With any number of steps.
    seconds
        For all steps together.
    period
        Steps after which the kinds of step come again: the probe takes them in whole periods, so that a kind that is
        slower than the others has its share in it, and no more.
    """
    kept = state / BUDGET_FILE
    if kept.is_file() and (found := read_json(kept)).get("seconds") == seconds:
        return settings.model_copy(update={"steps": int(found["steps"])})
    state.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(dir=state, prefix=".probe-"))
    few = settings.model_copy(update={"steps": period * math.ceil(PROBE_STEPS / period)})
    try:
        for part in ("warm-up", "timed"):
            train(place / part / "out", place / part / "state", few)
        rate = read_json(place / "timed" / "out" / RECORD_FILE)["images_per_second"]
    finally:
        shutil.rmtree(place, ignore_errors=True)
    steps = max(1, round(seconds * rate / settings.batch_size))
    write_json(kept, {"seconds": seconds, "steps": steps})
    return settings.model_copy(update={"steps": steps})
