"""The folder that a conditional denoiser is kept in when its training has ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from fewstain.diffusion.conditions.network import ENCODER_WEIGHTS, ConditionalDenoiser, Guided
from fewstain.diffusion.conditions.record import ConditionalRecord, Stain
from fewstain.diffusion.folder import replaced_folder
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.network import WEIGHTS
from fewstain.diffusion.record import SAMPLES_FILE, training_facts, write_losses
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.state import Training
from fewstain.settings import ConditionalSettings
from fewstain.storage import sha256_file


def write_conditional(
    out: Path,
    training: Training[ConditionalDenoiser],
    stains: tuple[Stain, ...],
    examples: Sequence[Tensor],
    settings: ConditionalSettings,
    seed: int,
    *,
    session_seconds: float,
) -> None:
    """Write the trained denoiser, with averaged weights, and its report in place of the folder `out`.

    Parameters
    ----------
    examples
        A condition of each stain, as the encoder takes it, to paint samples of.
    """
    start = time.monotonic()
    denoiser = training.averaged()
    with replaced_folder(out) as folder:
        denoiser.save(folder)
        write_losses(folder, training.losses.tolist())
        if settings.samples:
            rows, columns = paint_rows(denoiser, examples, settings, seed)
            write_mosaic(folder / SAMPLES_FILE, rows, columns)
        seconds = max(session_seconds, training.seconds) + time.monotonic() - start
        weights = folder / "unet" / WEIGHTS
        ConditionalRecord(
            stains=stains,
            image_channels=denoiser.image_channels,
            encoder_sha256=sha256_file(folder / ENCODER_WEIGHTS),
            **training_facts(training, settings, seed, wall_seconds=seconds, weights=weights),
        ).write(folder)


def paint_rows(
    denoiser: ConditionalDenoiser, examples: Sequence[Tensor], settings: ConditionalSettings, seed: int
) -> tuple[Tensor, int]:
    """Paint `settings.samples` images, or a few more, shared out among the conditions.

    Returns
    -------
    rows, columns
        (n, C, crop, crop) images, row after row, one row for each condition; where that is a set of images, they come
        first in it. How many images a row has.
    """
    each = -(-settings.samples // len(examples))
    steps = min(settings.sample_steps, settings.train_timesteps)
    size = (settings.crop, settings.crop)
    rows = []
    for example in examples:
        condition = example.to(denoiser.device)
        with torch.no_grad():
            tokens = denoiser.encoder(condition)
        painted = sample(Guided(denoiser, tokens, 1.0), each, size, steps=steps, seed=seed)
        rows.append(torch.cat([condition[0].cpu(), painted]) if condition.is_floating_point() else painted)
    return torch.cat(rows), len(rows[0])
