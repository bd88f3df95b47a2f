"""Adaptation of a trained denoiser to another stain, from a few unlabeled images of it (LoRA: Hu et al., ICLR 2022)."""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from fewstain.dataset import Dataset
from fewstain.diffusion.adapter import ADAPTER_FILE, CONTENTS, AdapterRecord, save_adapter
from fewstain.diffusion.dependence import base_facts
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.diffusion.loop import run
from fewstain.diffusion.lora import adapter_parameters, add_adapter, freeze_base, usual_rank
from fewstain.diffusion.network import Denoiser, load_denoiser
from fewstain.diffusion.pool_index import PoolIndex, remove_pixels
from fewstain.diffusion.record import (
    DenoiserRecord,
    check_weights,
    describe,
    paint_samples,
    read_record,
    write_losses,
)
from fewstain.diffusion.session import open_session
from fewstain.diffusion.state import Training
from fewstain.diffusion.training import denoising_loss
from fewstain.errors import UserError
from fewstain.images.read import read_image
from fewstain.settings import DiffusionSettings
from fewstain.storage import write_errors_named
from fewstain.toolbox import Target
from fewstain.validation import validate

# Of 0.01, 0.004 and 0.001, 0.01 had the lowest Fréchet distance (32 samples, one seed, a small denoiser of
# fluorescence): 362, 382 and 387 to phase contrast after 300 steps, where the base had 1796. To tissue, which the base
# already resembled, none was below the base's 318: 350, 365 and 395.
RATE = 0.01


def adapt(
    denoiser_dir: Path,
    dataset: Dataset,
    out: Path,
    state: Path | None = None,
    *,
    rank: int | None = None,
    target: Target = Target.all,
    steps: int = 300,
    learning_rate: float | None = None,
    channels: tuple[int, ...] | None = None,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train an adapter of a denoiser on the images of a dataset, or go on where the last call was stopped.

    The denoiser itself stays as it is.

    Parameters
    ----------
    denoiser_dir
        The base: a trained denoiser's folder. Only read.
    dataset
        Only its `images` are read.
    out
        Folder that takes the adapter: adapter_model.safetensors, fewstain.json, loss.csv, samples.png. It appears
        whole, at the end.
    state
        Folder of the training state, as of `train_diffusion`; None to keep none and, interrupted, to begin again.
    rank, target
        As of `add_adapter`; None for `usual_rank`, and for keys and values, which have no rank.
    steps
        Of training; batch and crops are those that the base was trained with.
    learning_rate
        Its highest value, see `schedule.learning_rate`; None for `RATE`.
    channels
        Which of the images' channels to model, counted from 0, as many as the base sees; None for those that the base
        was trained on, where the files have as many channels as its files, else for all.
    seed
        Of weights, crops, noise and samples; not negative.
    restart
        Forget a state that is damaged, or of another adaptation, instead of refusing it.

    Raises
    ------
    UserError
        A rank for keys and values; a base that is damaged, or has no layers of the target; images of another number of
        channels, or unreadable; a state of another adaptation, or damaged; a diverging loss.
    KeyboardInterrupt
        Ctrl-C, after the state was saved.
    """
    start = time.monotonic()
    check_replaceable(out, CONTENTS, AdapterRecord.holder)
    if rank is not None and target is Target.keys_values:
        raise UserError(
            f"rank {rank} with target {target.value}, which replaces layers as a whole and has no rank; leave the rank "
            "out, or choose target attention"
        )
    denoiser, base = load_denoiser(denoiser_dir), read_record(denoiser_dir)
    check_weights(denoiser_dir, base)
    if not dataset.images:
        raise UserError(f"{dataset.root}: no images to adapt to; put some into its images folder")
    chosen = choose_channels(denoiser_dir, base, dataset.images[0], channels)
    settings = adaptation_settings(denoiser_dir, base, steps, learning_rate)
    rank = usual_rank(denoiser, target) if rank is None else rank
    add_adapter(denoiser, rank, target, seed=seed)
    origin = {**base_facts(denoiser_dir), "rank": rank, "target": target.value}
    with state_folder(out, state) as folder:
        training, index = train_adapter(
            denoiser, dataset, folder, settings, chosen, seed, origin, keep=state is not None, restart=restart
        )
    write_adapter(out, training, index, settings, seed, origin, session_seconds=time.monotonic() - start)
    if state is not None:
        remove_pixels(state)


def train_adapter(
    denoiser: Denoiser,
    dataset: Dataset,
    state: Path,
    settings: DiffusionSettings,
    channels: tuple[int, ...],
    seed: int,
    origin: Mapping[str, Any],
    *,
    keep: bool,
    restart: bool,
) -> tuple[Training[Denoiser], PoolIndex]:
    """Train the adapter that the denoiser has, from the saved state in the folder `state` on where there is one.

    Parameters
    ----------
    origin
        As of `write_adapter`.
    keep
        Whether the folder is to hold the training's state, beside the pool.
    """
    session = open_session(
        dataset,
        state,
        settings,
        "diffusion",
        channels=channels,
        seed=seed,
        restart=restart,
        more={**origin, "base": None},  # it is known by its weights, wherever it lies
    )
    accelerator = session.accelerator
    freeze_base(denoiser)
    training = session.training(denoiser, settings, adapter_parameters(denoiser))
    if not session.finished:
        pool = session.pool()

        def loss_of(step: int) -> Tensor:
            random = np.random.default_rng((seed, step))
            return denoising_loss(denoiser, training, pool, settings, accelerator, random)

        run(training, loss_of, settings, accelerator, state if keep else None, title="adapting")
    return training, session.index


@contextlib.contextmanager
def state_folder(out: Path, state: Path | None) -> Iterator[Path]:
    """Give the folder of the training state; where none is to be kept, one beside `out` that vanishes."""
    if state is not None:
        yield state
        return
    # named as `replaced_folder` names its own, which clears away those of killed sessions
    with write_errors_named(out), tempfile.TemporaryDirectory(".part", f".{out.name}.", out.parent) as scratch:
        yield Path(scratch)


def choose_channels(
    denoiser_dir: Path, base: DenoiserRecord, image: Path, channels: tuple[int, ...] | None
) -> tuple[int, ...]:
    """Return the channels to model, counted from 0: those asked for, else the base's own, else all of the image's.

    Raises
    ------
    UserError
        If they are not as many as the base sees.
    """
    found = read_image(image).pixels.shape[-1]
    if channels is None:
        channels = base.channels if found == base.file_channels else tuple(range(found))
    if len(channels) != base.image_channels:
        raise UserError(
            f"{image}: {len(channels)} of its {found} channels are to be modelled, but the denoiser in {denoiser_dir} "
            f"sees {base.image_channels}; choose {base.image_channels} with --channels, or train a denoiser on these "
            "images"
        )
    return channels


def adaptation_settings(
    denoiser_dir: Path, base: DenoiserRecord, steps: int, learning_rate: float | None
) -> DiffusionSettings:
    """Return the base's settings, but AdamW for the training, and its length and rate; a tenth of it is warm-up."""
    source = f"{denoiser_dir}, settings of the adaptation"
    changes = {"steps": steps, "warmup_steps": steps // 10, "muon": False}
    settings = validate(DiffusionSettings, base.settings | changes, source)
    rate = learning_rate if learning_rate is not None else RATE
    return validate(DiffusionSettings, settings.model_dump() | {"learning_rate": rate}, source)


def write_adapter(
    out: Path,
    training: Training[Denoiser],
    index: PoolIndex,
    settings: DiffusionSettings,
    seed: int,
    origin: Mapping[str, Any],
    *,
    session_seconds: float,
) -> None:
    """Write the trained adapter, with averaged weights, and its report in place of the folder `out`.

    Parameters
    ----------
    origin
        What an `AdapterRecord` tells beyond a denoiser's.
    """
    start = time.monotonic()
    denoiser = training.averaged()
    with replaced_folder(out) as folder:
        save_adapter(folder, denoiser)
        write_losses(folder, training.losses.tolist())
        paint_samples(folder, denoiser, settings, seed)
        seconds = max(session_seconds, training.seconds) + time.monotonic() - start
        weights = folder / ADAPTER_FILE
        told = describe(training, index, settings, seed, wall_seconds=seconds, weights=weights)
        AdapterRecord(**vars(told), **origin).write(folder)
