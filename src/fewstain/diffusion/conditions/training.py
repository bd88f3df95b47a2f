"""Training of one denoiser across several stains, told by words or shown by sets of images."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accelerate import Accelerator
from torch import Tensor

from fewstain.dataset import Dataset
from fewstain.description import read_words
from fewstain.diffusion.conditions.network import ConditionalDenoiser, build_conditional
from fewstain.diffusion.conditions.record import CONTENTS, HOLDER, Stain
from fewstain.diffusion.conditions.stains import (
    Stains,
    common_channels,
    open_stains,
    pool_folder,
    remove_stains,
    stain_names,
)
from fewstain.diffusion.conditions.tasks import Batch, SetTask, Task, WordTask
from fewstain.diffusion.conditions.writing import write_conditional
from fewstain.diffusion.folder import check_replaceable
from fewstain.diffusion.loop import new_training, run
from fewstain.diffusion.objective import prediction_loss
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.precision import choose_precision, start_accelerator
from fewstain.diffusion.seeding import seeded
from fewstain.diffusion.session import REPORT_ONLY
from fewstain.diffusion.state import SavedState, Training, open_state
from fewstain.diffusion.training import compiled
from fewstain.errors import UserError
from fewstain.settings import ConditionalSettings
from fewstain.storage import sha256_file, write_errors_named


def train_words(
    datasets: Sequence[Dataset],
    out: Path,
    state: Path,
    settings: ConditionalSettings,
    *,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train a denoiser that paints what the words of a data set say, or go on where the last call was stopped.

    Each crop is trained on with a part of its data set's words, and with the chance `settings.drop` with none of them,
    so that a part of a description is understood too, and so is none.

    Parameters
    ----------
    datasets
        Of each, its `images` and its words.txt are read. Grey images beside others are repeated in every channel.
    out
        Folder that takes the trained denoiser: `ConditionalDenoiser.save`'s layout, fewstain.json, loss.csv,
        samples.png with a row for each data set. It appears whole, at the end.
    state
        Folder of the training state. It outlives the call; the normalised pools in it do not outlive the training.
    settings
        Of network and training.
    seed
        Of weights, crops, noise and samples; not negative.
    restart
        Forget a state that is damaged, or of other settings, words or images, instead of refusing it.

    Raises
    ------
    UserError
        No words; settings, words or images have changed since the state was saved; bad images; a diverging loss.
    KeyboardInterrupt
        Ctrl-C, after the state was saved.
    """
    task = WordTask([read_words(dataset.root) for dataset in datasets], settings)
    train_conditional(task, datasets, out, state, settings, seed=seed, restart=restart)


def train_few_shot(
    datasets: Sequence[Dataset],
    out: Path,
    state: Path,
    settings: ConditionalSettings,
    *,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train a denoiser that paints what a set of images shows, or go on where the last call was stopped.

    Each crop is trained on with 1 to `settings.set_size` crops of the same image, in windows that share no pixel with
    it or with each other; with the chance `settings.drop`, without.

    Parameters
    ----------
    datasets
        Of each, its `images` are read; the more looks they have, the better a new one is met.
    out, state, settings, seed, restart
        As of `train_words`; in samples.png each row begins with a set.

    Raises
    ------
    UserError
        As of `train_words`, but for the words; images that are too small for two crops; a crop that is not made of
        patches.
    """
    task = SetTask(stain_names(datasets), settings)
    train_conditional(task, datasets, out, state, settings, seed=seed, restart=restart)


def train_conditional(
    task: Task,
    datasets: Sequence[Dataset],
    out: Path,
    state: Path,
    settings: ConditionalSettings,
    *,
    seed: int,
    restart: bool,
) -> None:
    """Train on a kind of condition; see `train_words`."""
    start = time.monotonic()
    check_replaceable(out, CONTENTS, HOLDER)
    if settings.crop % settings.stride:
        raise UserError(f"conditions.crop is {settings.crop}; this network needs a multiple of {settings.stride}")
    names = stain_names(datasets)
    with write_errors_named(state):
        state.mkdir(parents=True, exist_ok=True)
    files = [tuple((path.name, sha256_file(path)) for path in dataset.images) for dataset in datasets]
    described = dict(zip(names, task.words, strict=True))
    pool_files = [(f"{name}/{file}", sha) for name, known in zip(names, files, strict=True) for file, sha in known]
    identity = training_identity(settings, described, seed, pool_files)
    saved = open_state(state, identity, restart=restart)
    indices = dict(zip(names, open_stains(state, datasets, files), strict=True))

    precision = saved.precision if saved is not None else choose_precision()
    accelerator = start_accelerator(precision)
    channels = common_channels([(name, len(index.channels)) for name, index in indices.items()])
    denoiser = new_conditional(task, settings, channels, seed)
    training = new_training(denoiser, settings, precision, accelerator.device, identity)
    pools = {name: Pool(pool_folder(state, name), index, accelerator.device) for name, index in indices.items()}
    descend_to_the_end(task, training, saved, Stains(pools, channels), settings, accelerator, state, seed)
    examples = task.examples(training.network.encoder, Stains(pools, channels), seed)
    stains = tuple(Stain.of(name, described[name], index) for name, index in indices.items())
    seconds = time.monotonic() - start
    write_conditional(out, training, stains, examples, settings, seed, session_seconds=seconds)
    remove_stains(state, names)


def new_conditional(task: Task, settings: ConditionalSettings, image_channels: int, seed: int) -> ConditionalDenoiser:
    """Make an untrained denoiser whose weights are a function of the seed."""
    with seeded(seed):
        return build_conditional(settings, image_channels, task.encoder(image_channels))


def descend_to_the_end(
    task: Task,
    training: Training[ConditionalDenoiser],
    saved: SavedState | None,
    stains: Stains,
    settings: ConditionalSettings,
    accelerator: Accelerator,
    state: Path,
    seed: int,
) -> None:
    """Train up to the last step, from a saved state where there is one; nothing is left to do after the last step."""
    if saved is not None:
        training.restore(saved)
    if training.step == settings.steps:
        return
    predict = compiled(training, settings, accelerator.device)

    def loss_of(step: int) -> Tensor:
        random = np.random.default_rng((seed, step))
        batch = task.batch(training.network.encoder, stains, random)
        return conditional_loss(predict, training, batch, settings, accelerator, random)

    run(training, loss_of, settings, accelerator, state)


def conditional_loss(
    predict: Callable[..., Tensor],
    training: Training[ConditionalDenoiser],
    batch: Batch,
    settings: ConditionalSettings,
    accelerator: Accelerator,
    random: np.random.Generator,
) -> Tensor:
    """Mean squared error of a batch; () on the device, with its graph. All chance comes from `random`."""
    denoiser = training.network
    clean = training.precision.lay_out(batch.clean)

    def conditioned(noised: Tensor, timesteps: Tensor) -> Tensor:
        tokens = denoiser.dropped(denoiser.encoder(batch.condition), batch.drop)
        return predict(noised, timesteps, tokens)

    share = settings.small_timestep_share
    return prediction_loss(conditioned, denoiser.scheduler, clean, share, accelerator, random)


def training_identity(
    settings: ConditionalSettings, words: dict[str, tuple[str, ...]], seed: int, pool: list[tuple[str, str]]
) -> dict[str, Any]:
    """All that the final weights depend on, by the names a user knows; `words` of each data set, in order."""
    chosen = settings.model_dump(mode="json", exclude=REPORT_ONLY)
    return {f"conditions.{name}": value for name, value in chosen.items()} | {
        "seed": seed,
        "data sets": list(words),
        **{f"words of {name}": " ".join(each) for name, each in words.items()},
        "pool": pool,
    }
