"""The denoiser of a translation: it sees the source beside the noised image, and paints what a table cannot know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDPMScheduler
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.network import Denoiser, build_denoiser
from fewstain.diffusion.translation.table import Table, apply_table
from fewstain.settings import TranslationSettings

DEVIATION = 0.5  # of what is denoised; the noise schedules are made for images, which have about that


class Translator(Denoiser):
    """Denoises the residual of a target image to what a table gives for its source, with the source beside it.

    Channels are concatenated (Saharia et al., *Palette*, SIGGRAPH 2022).
    """

    def decode(self, denoised: Tensor) -> Tensor:
        """Leave residuals as they are; their range is no image's."""
        return denoised


@dataclass(frozen=True)
class Residual:
    """What is left of a target when the table has said what it can.

    Attributes
    ----------
    table
        See `fit_table`.
    spread
        Standard deviation of target - table over the pool, which becomes `DEVIATION`.
    """

    table: Table
    spread: float

    def of(self, source: NDArray, target: NDArray) -> NDArray[np.float32]:
        """Residual (C, H, W) of a target (C, H, W) to its source (S, H, W), both in [-1, 1]."""
        return ((target - apply_table(self.table, source)) * (DEVIATION / self.spread)).astype(np.float32)

    def target(self, source: NDArray, residual: NDArray) -> NDArray[np.float32]:
        """Undo `of`: (C, H, W) in [-1, 1]."""
        planes = apply_table(self.table, source) + residual * (self.spread / DEVIATION)
        return np.clip(planes, -1, 1).astype(np.float32)


def build_translator(
    settings: TranslationSettings, target_channels: int, source_channels: int, seed: int
) -> Translator:
    """Make an untrained one whose weights are a function of the seed."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        denoiser = build_denoiser(settings, target_channels, source_channels=source_channels)
    return as_translator(denoiser)


def as_translator(denoiser: Denoiser) -> Translator:
    """Take a denoiser that wants sources for one of residuals, which are not to be clipped to [-1, 1]."""
    scheduler = DDPMScheduler.from_config(denoiser.scheduler.config, clip_sample=False)
    translator = Translator(denoiser.unet, scheduler, denoiser.unshuffle)
    translator.train(denoiser.training)
    return translator
