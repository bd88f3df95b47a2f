import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from fewstain.diffusion.schedule import draw_timesteps, learning_rate, noised_and_target
from fewstain.settings import DiffusionSettings


def test_small_share_of_one_draws_only_the_lowest_third():
    timesteps = draw_timesteps(np.random.default_rng(0), 2000, 300, 1.0)
    assert timesteps.dtype == torch.int64
    assert (int(timesteps.min()), int(timesteps.max())) == (0, 99)


def test_small_share_of_half_draws_two_thirds_from_the_lowest_third():
    timesteps = draw_timesteps(np.random.default_rng(0), 20_000, 300, 0.5)
    assert float((timesteps < 100).float().mean()) == pytest.approx(0.5 + 0.5 / 3, abs=0.015)
    assert int(timesteps.max()) == 299


def test_share_of_zero_draws_evenly():
    timesteps = draw_timesteps(np.random.default_rng(0), 30_000, 3, 0.0)
    np.testing.assert_allclose(np.bincount(timesteps.numpy()) / 30_000, 1 / 3, atol=0.01)


@pytest.mark.parametrize("betas", ["linear", "squaredcos_cap_v2"])
def test_targets_give_back_image_and_noise(betas):
    """epsilon: x_t - sqrt(1 - abar) e = sqrt(abar) x_0;  v: x_0 = sqrt(abar) x_t - sqrt(1 - abar) v."""
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn((2, 4, 1, 3, 3), generator=generator, dtype=torch.float64)
    timesteps = torch.tensor([0, 10, 500, 999])
    epsilon = DDPMScheduler(1000, beta_schedule=betas, prediction_type="epsilon")
    velocity = DDPMScheduler(1000, beta_schedule=betas, prediction_type="v_prediction")
    alpha = epsilon.alphas_cumprod[timesteps].double()[:, None, None, None]

    noised, target = noised_and_target(epsilon, clean, noise, timesteps)
    torch.testing.assert_close(noised - (1 - alpha).sqrt() * target, alpha.sqrt() * clean, atol=1e-6, rtol=0)
    noised, target = noised_and_target(velocity, clean, noise, timesteps)
    torch.testing.assert_close(alpha.sqrt() * noised - (1 - alpha).sqrt() * target, clean, atol=1e-6, rtol=0)


def test_least_loss_on_gaussian_images_is_the_closed_form():
    """For x_0 ~ N(0, s²) the best answer is E[epsilon | x_t]; its error is abar s² / (abar s² + 1 - abar)."""
    scheduler = DDPMScheduler(1000, beta_schedule="linear")
    generator = torch.Generator().manual_seed(0)
    deviation, timestep = 0.5, 200
    clean = deviation * torch.randn((8, 1, 64, 64), generator=generator)
    noise = torch.randn(clean.shape, generator=generator)
    noised, target = noised_and_target(scheduler, clean, noise, torch.full((8,), timestep))
    alpha = float(scheduler.alphas_cumprod[timestep])
    variance = alpha * deviation**2 + 1 - alpha
    best = (1 - alpha) ** 0.5 / variance * noised
    assert float((best - target).square().mean()) == pytest.approx(alpha * deviation**2 / variance, rel=0.03)


def test_learning_rate_warms_up_and_ends_near_zero():
    settings = DiffusionSettings(steps=1000, warmup_steps=100, learning_rate=1.0)
    rates = [learning_rate(step, settings) for step in range(1000)]
    assert rates[0] == pytest.approx(1 / 101)
    assert max(rates) == rates[100] == 1.0
    assert rates[550] == pytest.approx(0.5)
    assert 0 < rates[-1] < 1e-4


def test_a_warm_up_longer_than_the_training_is_cut():
    settings = DiffusionSettings(steps=4, warmup_steps=100, learning_rate=1.0)
    assert [round(learning_rate(step, settings), 3) for step in range(4)] == [0.333, 0.667, 1.0, 0.5]
