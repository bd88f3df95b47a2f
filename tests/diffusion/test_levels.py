import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from fewstain.diffusion.levels import (
    level_denoiser,
    timestep_of,
    trained_levels,
    uniform_levels,
)

TRAINED = trained_levels(DDPMScheduler(num_train_timesteps=1000))


def test_trained_levels_are_noise_over_signal():
    abar = DDPMScheduler(num_train_timesteps=1000).alphas_cumprod.numpy().astype(float)
    np.testing.assert_allclose(TRAINED**2 * abar, 1 - abar, rtol=1e-12)
    assert (np.diff(TRAINED) > 0).all()


@pytest.mark.parametrize(
    ("steps", "first", "timesteps"),
    [(5, 999, [999, 799, 599, 399, 199]), (3, 2, [2, 1, 0]), (1, 9, [9]), (4, 9, [9, 7, 4, 1])],
)
def test_uniform_levels_are_those_of_trailing_timesteps(steps, first, timesteps):
    assert uniform_levels(TRAINED, steps, first) == [*TRAINED[timesteps].tolist(), 0.0]


def test_a_trained_level_is_at_its_timestep_exactly_and_others_lie_between():
    assert [timestep_of(TRAINED, sigma) for sigma in TRAINED] == list(range(1000))
    between = timestep_of(TRAINED, float(np.sqrt(TRAINED[10] * TRAINED[11])))
    assert between == pytest.approx(10.5)


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
def test_denoiser_of_levels_returns_what_was_noised(prediction):
    """A network that knows the truth gives the clean image back, at whole timesteps and between."""
    scheduler = DDPMScheduler(num_train_timesteps=1000, prediction_type=prediction, clip_sample=False)
    generator = torch.Generator().manual_seed(0)
    clean, noise = torch.randn((2, 3, 1, 4, 4), generator=generator, dtype=torch.float64)
    asked = []

    for sigma in (float(TRAINED[0]), 0.3, float(TRAINED[500]), 20.0):

        def predict(noised, timesteps, sigma=sigma):
            asked.append((timesteps.dtype, timesteps.tolist()))
            root, rest = (1 + sigma**2) ** -0.5, sigma * (1 + sigma**2) ** -0.5
            torch.testing.assert_close(noised, root * clean + rest * noise)
            return noise if prediction == "epsilon" else root * noise - rest * clean

        denoised = level_denoiser(predict, scheduler)(clean + sigma * noise, sigma)
        torch.testing.assert_close(denoised, clean)
    assert [dtype for dtype, _ in asked] == [torch.int64, torch.float32, torch.int64, torch.float32]
    assert asked[2][1] == [500, 500, 500]


def test_clipping_is_the_schedulers_choice():
    scheduler = DDPMScheduler(num_train_timesteps=1000, clip_sample=True)
    denoised = level_denoiser(lambda x, t: torch.zeros_like(x), scheduler)(torch.tensor([[-3.0, 0.5]]), 1.0)
    assert denoised.tolist() == [[-1.0, 0.5]]
