"""Training of the denoiser: one loop that saves its whole state, and goes on by running the same command again."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.nn import functional
from torch.optim import AdamW
from torch.utils._triton import has_triton

from fewstain.dataset import Dataset
from fewstain.diffusion.network import build_denoiser
from fewstain.diffusion.pool import Pool, open_pool_index, remove_pixels
from fewstain.diffusion.precision import Precision, choose_precision, start_accelerator
from fewstain.diffusion.progress import StepProgress
from fewstain.diffusion.record import check_replaceable, write_denoiser
from fewstain.diffusion.schedule import draw_timesteps, learning_rate, noised_and_target
from fewstain.diffusion.state import Training, open_state
from fewstain.diffusion.stopping import StopRequest
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings
from fewstain.storage import sha256_file, write_errors_named

GRADIENT_NORM = 1.0
LOSS_WINDOW = 50  # steps over which the loss shown is averaged
COMPILE_STEPS = 2000  # torch.compile takes a minute or so: shorter trainings do not earn it back
REPORT_ONLY = {"checkpoint_seconds", "samples", "sample_steps"}  # settings that do not change the weights

Predict = Callable[[Tensor, Tensor], Tensor]


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
    check_replaceable(out)
    if settings.crop % settings.stride:
        raise UserError(f"diffusion.crop is {settings.crop}; this network needs a multiple of {settings.stride}")
    with write_errors_named(state):
        state.mkdir(parents=True, exist_ok=True)
    pool_files = tuple((path.name, sha256_file(path)) for path in dataset.images)
    identity = training_identity(settings, channels, seed, pool_files)
    saved = open_state(state, identity, restart=restart)
    finished = saved is not None and saved.step == settings.steps
    index = open_pool_index(state, dataset.images, pool_files, channels, pixels_needed=not finished)

    precision = saved.precision if saved is not None else choose_precision()
    accelerator = start_accelerator(precision)
    training = new_training(settings, len(index.channels), seed, precision, accelerator.device, identity)
    if saved is not None:
        training.restore(saved)
    if not finished:
        run(training, Pool(state, index, accelerator.device), settings, seed, state, accelerator)
    write_denoiser(out, training, index, settings, seed, session_seconds=time.monotonic() - start)
    remove_pixels(state)


def training_identity(
    settings: DiffusionSettings, channels: tuple[int, ...] | None, seed: int, pool: tuple[tuple[str, str], ...]
) -> dict[str, Any]:
    """All that the final weights depend on, by the names a user knows."""
    chosen = settings.model_dump(mode="json", exclude=REPORT_ONLY)
    return {f"diffusion.{name}": value for name, value in chosen.items()} | {
        "channels": channels,
        "seed": seed,
        "pool": pool,
    }


def new_training(
    settings: DiffusionSettings,
    image_channels: int,
    seed: int,
    precision: Precision,
    device: torch.device,
    identity: Mapping[str, Any],
) -> Training:
    """Make the training as it is before its first step; its weights are a function of the seed."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        network = build_denoiser(settings, image_channels)
    if precision.channels_last:
        network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    network = network.to(device).train()
    optimiser = AdamW(
        network.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=device.type == "cuda",
    )
    ema = EMAModel(network.parameters(), decay=settings.ema_decay, foreach=True)
    return Training(network, optimiser, ema, torch.zeros(settings.steps, device=device), precision, identity)


def run(
    training: Training, pool: Pool, settings: DiffusionSettings, seed: int, state: Path, accelerator: Accelerator
) -> None:
    """Train up to the last step, saving the state now and then, at the end, and when asked to stop."""
    torch.backends.cudnn.deterministic = True  # so that a resumed training equals an uninterrupted one
    predict = _compiled(training, settings, accelerator.device)
    began = saved_at = time.monotonic()
    seconds_before = training.seconds
    progress = StepProgress(
        "training", settings.steps, done=training.step, images_per_step=settings.batch_size, device=accelerator.device
    )
    with StopRequest() as stop, progress:
        while training.step < settings.steps:
            training.losses[training.step] = train_step(predict, training, pool, settings, seed, accelerator)
            training.step += 1
            if progress.due(training.step):
                recent = training.losses[max(0, training.step - LOSS_WINDOW) : training.step]
                progress.show(training.step, loss=float(recent.mean()))
            last = training.step == settings.steps
            if last or stop.requested or time.monotonic() - saved_at >= settings.checkpoint_seconds:
                _check_finite(training, state)
                training.seconds = seconds_before + time.monotonic() - began
                training.save(state)
                saved_at = time.monotonic()
            if stop.requested:
                break


def train_step(
    predict: Predict,
    training: Training,
    pool: Pool,
    settings: DiffusionSettings,
    seed: int,
    accelerator: Accelerator,
) -> Tensor:
    """One step of the denoising objective; all chance comes from (seed, step), so there is no random state to save.

    Returns
    -------
    Tensor
        () the batch's mean squared error, on the device.
    """
    random = np.random.default_rng((seed, training.step))
    device = accelerator.device
    clean = training.precision.lay_out(pool.crops(settings.batch_size, settings.crop, random))
    timesteps = draw_timesteps(random, len(clean), settings.train_timesteps, settings.small_timestep_share).to(device)
    generator = torch.Generator(device).manual_seed(int(random.integers(2**63)))
    noise = torch.randn(clean.shape, generator=generator, device=device)
    noised, target = noised_and_target(training.network.scheduler, clean, noise, timesteps)

    with accelerator.autocast():
        predicted = predict(noised, timesteps)
    loss = functional.mse_loss(predicted.float(), target)
    training.optimiser.zero_grad()
    accelerator.backward(loss)
    accelerator.clip_grad_norm_(training.network.parameters(), GRADIENT_NORM)
    for group in training.optimiser.param_groups:
        group["lr"] = learning_rate(training.step, settings)
    training.optimiser.step()
    training.ema.step(training.network.parameters())
    return loss.detach()


def _compiled(training: Training, settings: DiffusionSettings, device: torch.device) -> Predict:
    """Compile the network where that pays; judged by the length of the whole training, so that all sessions agree."""
    if device.type != "cuda" or settings.steps < COMPILE_STEPS or not has_triton():
        return training.network
    torch._dynamo.config.suppress_errors = True  # what it cannot compile runs as it is
    compiled: Predict = torch.compile(training.network)
    return compiled


def _check_finite(training: Training, state: Path) -> None:
    """Refuse to save a training that has diverged."""
    finite = torch.isfinite(training.losses[: training.step])
    if not bool(finite.all()):
        first = int((~finite).nonzero()[0]) + 1
        raise UserError(
            f"{state}: the loss is no longer a number after step {first}; "
            "set a lower diffusion.learning_rate, delete that folder and train again"
        )
