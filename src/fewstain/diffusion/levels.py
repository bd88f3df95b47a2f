"""Noise levels: those a denoiser was trained at, those a sampler goes through, and D(x, sigma) between them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from diffusers import DDPMScheduler
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.samplers import Denoise

Predict = Callable[[Tensor, Tensor], Tensor]
Levels = NDArray[np.float64]


def trained_levels(scheduler: DDPMScheduler) -> Levels:
    """(T,) sigma_t = sqrt((1 - abar_t) / abar_t) of each timestep, rising."""
    alphas = scheduler.alphas_cumprod.double().numpy()
    return np.sqrt((1 - alphas) / alphas)


def uniform_levels(trained: Levels, steps: int, first: int) -> list[float]:
    """Levels of timesteps as evenly apart as whole numbers can be, from `first` down, and 0.

    The spacing is the trailing one: it begins at pure noise, as images do (Lin et al., WACV 2024, section 3.3).

    Parameters
    ----------
    trained
        What `trained_levels` gave.
    steps
        Steps of the sampler, at most first + 1.
    first
        Timestep to begin at, in [0, T).

    Returns
    -------
    list
        steps + 1 levels.
    """
    timesteps = np.round(np.linspace(first + 1, 0, steps, endpoint=False)).astype(int) - 1
    return [*trained[timesteps].tolist(), 0.0]


def timestep_of(trained: Levels, sigma: float) -> float:
    """Find the timestep of a level, linear in log sigma between whole ones; exactly t at the level of a trained t."""
    return float(np.interp(math.log(sigma), np.log(trained), np.arange(len(trained))))


def level_denoiser(predict: Predict, scheduler: DDPMScheduler) -> Denoise:
    """Turn a network that predicts epsilon or velocity at a timestep into D(x, sigma).

    Between trained levels the network is asked at a timestep that is no whole number, which its sinusoidal embedding
    takes as it comes. The nearest whole timestep would make D a staircase in sigma, on which no solver keeps its order.

    Parameters
    ----------
    predict
        (x_t (B, ...), timesteps (B,)) -> (B, ...) what `scheduler` says it predicts. Timesteps are int64 where they are
        whole, as in training, else float32. With conditions, a function that has them bound.
    scheduler
        Its betas and kind of prediction; where it clips samples, D is clipped to [-1, 1].
    """
    trained = trained_levels(scheduler)
    velocity = scheduler.config["prediction_type"] == "v_prediction"
    clip = bool(scheduler.config["clip_sample"])

    def denoise(x: Tensor, sigma: float) -> Tensor:
        timestep = timestep_of(trained, sigma)
        dtype = torch.int64 if timestep.is_integer() else torch.float32
        timesteps = torch.full((len(x),), timestep, dtype=dtype, device=x.device)
        scale = math.sqrt(1 + sigma**2)  # 1 / sqrt(abar)
        predicted = predict(x / scale, timesteps).to(x.dtype)
        denoised = x / scale**2 - sigma / scale * predicted if velocity else x - sigma * predicted
        return denoised.clamp(-1, 1) if clip else denoised

    return denoise
