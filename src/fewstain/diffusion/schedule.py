"""What a training step asks of the denoiser: timesteps, noised images, answers; and the rate of learning."""

from __future__ import annotations

import math

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from fewstain.settings import TrainingSettings

SMALL_THIRD = 3  # "small" timesteps are the lowest third: where the features that segment best come from


def draw_timesteps(random: np.random.Generator, n: int, train_timesteps: int, small_share: float) -> Tensor:
    """Draw (n,) int64 timesteps in [0, T).

    A draw comes from the lowest third of the schedule with probability `small_share`, else from all of it.
    """
    highest = np.where(random.random(n) < small_share, max(1, train_timesteps // SMALL_THIRD), train_timesteps)
    return torch.from_numpy(random.integers(0, highest))


def noised_and_target(
    scheduler: DDPMScheduler, clean: Tensor, noise: Tensor, timesteps: Tensor
) -> tuple[Tensor, Tensor]:
    """Noise an image and say what the denoiser should answer to it.

    x_t = sqrt(abar_t) x_0 + sqrt(1 - abar_t) epsilon (Ho et al., NeurIPS 2020, eq. 4); the answer is epsilon, or
    v = sqrt(abar_t) epsilon - sqrt(1 - abar_t) x_0 (Salimans & Ho, ICLR 2022).

    Parameters
    ----------
    clean, noise
        (B, C, H, W).
    timesteps
        (B,) int64 on the same device.
    """
    noised = scheduler.add_noise(clean, noise, timesteps)
    if scheduler.config["prediction_type"] == "v_prediction":
        return noised, scheduler.get_velocity(clean, noise, timesteps)
    return noised, noise


def learning_rate(step: int, settings: TrainingSettings) -> float:
    """Linear warm-up, then half a cosine down to zero at the last step. A function of the step: nothing to resume."""
    warmup = min(settings.warmup_steps, settings.steps // 2)
    if step < warmup:
        return settings.learning_rate * (step + 1) / (warmup + 1)
    done = (step - warmup) / max(1, settings.steps - warmup)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * done))
