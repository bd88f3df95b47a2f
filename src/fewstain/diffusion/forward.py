"""The forward process q: an image becomes noise."""

from __future__ import annotations

from collections.abc import Iterable

from diffusers import DDPMScheduler
from torch import Tensor

from fewstain.errors import UserError


def diffuse(scheduler: DDPMScheduler, clean: Tensor, timesteps: Tensor, noise: Tensor) -> Tensor:
    """Noise images to any timestep at once, x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) epsilon.

    Ho et al., NeurIPS 2020, eq. 4.

    Parameters
    ----------
    clean, noise
        (B, C, H, W), images in [-1, 1] and standard normal noise.
    timesteps
        (B,) int64 in [0, T); timestep 0 is noised already, a little.

    Returns
    -------
    Tensor
        (B, C, H, W).
    """
    noised: Tensor = scheduler.add_noise(clean, noise, timesteps)
    return noised


def diffuse_step(scheduler: DDPMScheduler, noised: Tensor, timesteps: Tensor, noise: Tensor) -> Tensor:
    """Take images one timestep further, x_t = sqrt(1 - beta_t) x_{t-1} + sqrt(beta_t) epsilon.

    Ho et al., NeurIPS 2020, eq. 2. Shapes are those of `diffuse`; at timestep 0, `noised` is the clean image.
    """
    betas = scheduler.betas.to(noised)[timesteps.to(noised.device)]
    betas = betas.reshape(-1, *[1] * (noised.ndim - 1))
    return (1 - betas).sqrt() * noised + betas.sqrt() * noise


def check_timesteps(scheduler: DDPMScheduler, timesteps: Iterable[int]) -> None:
    """Raise UserError for a timestep that is not on the noise schedule."""
    last = len(scheduler.betas) - 1
    for timestep in timesteps:
        if not 0 <= timestep <= last:
            raise UserError(f"timestep {timestep}; this denoiser was trained on 0 to {last}")
