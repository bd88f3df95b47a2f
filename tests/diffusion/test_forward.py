import pytest
import torch
from diffusers import DDPMScheduler
from scipy import stats

from fewstain.diffusion.forward import diffuse, diffuse_step

N, CLEAN = 40_000, 0.8


@pytest.fixture(params=["linear", "squaredcos_cap_v2"])
def scheduler(request):
    return DDPMScheduler(num_train_timesteps=60, beta_schedule=request.param)


def normals(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn((N, 1, 1, 1), generator=generator)


@pytest.mark.parametrize("timestep", [0, 7, 30, 59])
def test_one_step_has_the_closed_forms_mean_and_variance(scheduler, timestep):
    clean = torch.full((N, 1, 1, 1), CLEAN)
    noised = diffuse(scheduler, clean, torch.full((N,), timestep), normals(timestep)())
    abar = float(scheduler.alphas_cumprod[timestep])
    law = stats.norm(abar**0.5 * CLEAN, (1 - abar) ** 0.5)
    assert stats.kstest(noised.flatten().double().numpy(), law.cdf).pvalue > 0.01


@pytest.mark.parametrize("timestep", [0, 7, 30, 59])
def test_a_chain_of_single_steps_has_the_same_distribution(scheduler, timestep):
    draw = normals(100 + timestep)
    image = torch.full((N, 1, 1, 1), CLEAN)
    at_once = diffuse(scheduler, image, torch.full((N,), timestep), draw())
    for each in range(timestep + 1):
        image = diffuse_step(scheduler, image, torch.full((N,), each), draw())
    assert stats.ks_2samp(image.flatten().numpy(), at_once.flatten().numpy()).pvalue > 0.01


def test_each_image_may_have_its_own_timestep(scheduler):
    clean, noise = torch.full((2, 1, 2, 2), CLEAN), torch.ones(2, 1, 2, 2)
    timesteps = torch.tensor([3, 50])
    both = diffuse(scheduler, clean, timesteps, noise), diffuse_step(scheduler, clean, timesteps, noise)
    for step, noised in zip((diffuse, diffuse_step), both, strict=True):
        for row in range(2):
            alone = step(scheduler, clean[:1], timesteps[row : row + 1], noise[:1])
            torch.testing.assert_close(noised[row : row + 1], alone)
