"""The loss that every denoiser is trained by, whatever it is conditioned on."""

from __future__ import annotations

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from torch import Tensor
from torch.nn import functional

from fewstain.diffusion.levels import Predict
from fewstain.diffusion.schedule import draw_timesteps, noised_and_target


def prediction_loss(
    predict: Predict,
    scheduler: DDPMScheduler,
    clean: Tensor,
    small_timestep_share: float,
    accelerator: Accelerator,
    random: np.random.Generator,
) -> Tensor:
    """Mean squared error of what is predicted at random timesteps (Ho et al., NeurIPS 2020, eq. 14).

    Parameters
    ----------
    predict
        (x_t (B, C, H, W), timesteps (B,)) -> (B, C, H, W): the network, with its conditions bound.
    scheduler
        The noise schedule and kind of prediction.
    clean
        (B, C, H, W) images on the accelerator's device.
    small_timestep_share
        As of `draw_timesteps`.
    random
        The only source of chance.

    Returns
    -------
    Tensor
        () with its graph.
    """
    device = clean.device
    timesteps = draw_timesteps(random, len(clean), len(scheduler.betas), small_timestep_share).to(device)
    generator = torch.Generator(device).manual_seed(int(random.integers(2**63)))
    noise = torch.randn(clean.shape, generator=generator, device=device)
    noised, target = noised_and_target(scheduler, clean, noise, timesteps)

    with accelerator.autocast():
        predicted = predict(noised, timesteps)
    return functional.mse_loss(predicted.float(), target)
