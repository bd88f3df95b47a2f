import math

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from torch import nn

from fewstain.diffusion.network import Denoiser


class GaussianDenoiser(Denoiser):
    """The best answer for images whose pixels are independent N(mean, deviation²), at any timestep, whole or not.

    x_t is then N(sqrt(abar) mean, v) with v = abar deviation² + 1 - abar, and
    E[epsilon | x_t] = sqrt(1 - abar) (x_t - sqrt(abar) mean) / v.
    """

    multiple, image_channels, device = 2, 1, torch.device("cpu")

    def __init__(self, mean, deviation, prediction="epsilon", train_timesteps=200):
        nn.Module.__init__(self)  # it has no network
        self.mean, self.deviation = mean, deviation
        self.scheduler = DDPMScheduler(
            num_train_timesteps=train_timesteps, beta_schedule="squaredcos_cap_v2", prediction_type=prediction
        )
        alphas = self.scheduler.alphas_cumprod.double().numpy()
        self.log_levels = np.log((1 - alphas) / alphas) / 2

    def forward(self, noisy, timestep):
        sigma = math.exp(np.interp(float(timestep[0]), np.arange(len(self.log_levels)), self.log_levels))
        alpha = 1 / (1 + sigma**2)
        centred = noisy - math.sqrt(alpha) * self.mean
        variance = alpha * self.deviation**2 + 1 - alpha
        epsilon = math.sqrt(1 - alpha) * centred / variance
        if self.scheduler.config["prediction_type"] == "epsilon":
            return epsilon
        clean = self.mean + math.sqrt(alpha) * self.deviation**2 * centred / variance
        return math.sqrt(alpha) * epsilon - math.sqrt(1 - alpha) * clean

    def decode(self, denoised):
        return denoised.clamp(-1, 1)


@pytest.fixture
def gaussian_denoiser():
    return GaussianDenoiser
