"""The denoiser of a translation: it sees the source beside the noised image, and paints what a table cannot know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from diffusers import DDPMScheduler
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.levels import trained_levels
from fewstain.diffusion.network import Denoiser, Residuals, build_denoiser
from fewstain.diffusion.seeding import seeded
from fewstain.diffusion.translation.alike import Tables
from fewstain.diffusion.translation.table import apply_table
from fewstain.settings import TranslationSettings

DEVIATION = 0.5  # of what is denoised; the noise schedules are made for images, which have about that
FINEST = 0.03  # noise level below which what is denoised is taken as it is; in histology, under one level of 256


class Translator(Denoiser):
    """Denoises the residual of a target image to what a table gives for its source, with both beside it.

    Channels are concatenated (Saharia et al., *Palette*, SIGGRAPH 2022). With x = x_t / sqrt(abar) at noise level
    sigma, the U-Net's answer F becomes

        D(x, sigma) = c_skip x + c_out F,   c_skip = k² / (sigma² + k²),   c_out = d sigma / sqrt(sigma² + k²)

    (the form of Karras et al., NeurIPS 2022, eq. 7), with d = `DEVIATION` and k = `FINEST`, and D the velocity that the
    scheduler wants. Colours are smoother than noise: above k the U-Net says what they are, and has not to carry each
    pixel's noise through, which a small one cannot; its samples were grainy. Below k the input is right already.
    """

    def forward(
        self, noisy: Tensor, timestep: Tensor, tokens: Tensor | None = None, residuals: Residuals | None = None
    ) -> Tensor:
        """Predict velocity; see `Denoiser.forward`."""
        answer = super().forward(noisy, timestep, tokens, residuals)
        sigma = self._levels(timestep).to(noisy.device)[:, None, None, None]
        alpha = (1 + sigma**2).rsqrt()
        x_t = noisy[:, : self.image_channels].float()
        skip = FINEST**2 / (sigma**2 + FINEST**2)
        denoised = skip * x_t / alpha + DEVIATION * sigma * (sigma**2 + FINEST**2).rsqrt() * answer.float()
        return (alpha * x_t - denoised) / (alpha * sigma)

    def decode(self, denoised: Tensor) -> Tensor:
        """Leave residuals as they are; their range is no image's."""
        return denoised

    def _levels(self, timestep: Tensor) -> Tensor:
        """(B,) sigma of each timestep; linear in its logarithm between whole ones, as of `timestep_of`."""
        levels = np.log(trained_levels(self.scheduler))
        found = np.interp(timestep.double().cpu().numpy(), np.arange(len(levels)), levels)
        return torch.from_numpy(np.exp(found)).float()


@dataclass(frozen=True)
class Residual:
    """What is left of a target when a table has said what it can.

    Attributes
    ----------
    tables
        Of the pool.
    spread
        Standard deviation of target - table over the pool, which becomes `DEVIATION`.
    """

    tables: Tables
    spread: float

    def seen(self, source: NDArray, left_out: int | None = None) -> NDArray[np.float32]:
        """Put beside a source (S, H, W) in [-1, 1] what its table says: (S + C, H, W), which the network sees.

        `left_out` is as of `Tables.table_for`.
        """
        looked_up = apply_table(self.tables.table_for(source, left_out), source)
        return np.concatenate([source.astype(np.float32), looked_up])

    def of(self, seen: NDArray, target: NDArray) -> NDArray[np.float32]:
        """Residual (C, H, W) of a target (C, H, W) in [-1, 1] to what the network sees."""
        return ((target - seen[-len(target) :]) * (DEVIATION / self.spread)).astype(np.float32)

    def target(self, seen: NDArray, residual: NDArray) -> NDArray[np.float32]:
        """Undo `of`: (C, H, W) in [-1, 1]."""
        planes = seen[-len(residual) :] + residual * (self.spread / DEVIATION)
        return np.clip(planes, -1, 1).astype(np.float32)


def build_translator(
    settings: TranslationSettings, target_channels: int, source_channels: int, seed: int
) -> Translator:
    """Make an untrained one whose weights are a function of the seed; it sees sources as of `Residual.seen`."""
    with seeded(seed):
        denoiser = build_denoiser(settings, target_channels, source_channels=source_channels + target_channels)
    return as_translator(denoiser)


def as_translator(denoiser: Denoiser) -> Translator:
    """Take a denoiser that wants sources for one of residuals, which are not to be clipped to [-1, 1]."""
    scheduler = DDPMScheduler.from_config(denoiser.scheduler.config, clip_sample=False)
    translator = Translator(denoiser.unet, scheduler, denoiser.unshuffle)
    translator.train(denoiser.training)
    return translator
