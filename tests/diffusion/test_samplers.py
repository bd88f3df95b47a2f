"""The samplers on images whose pixels are independent N(MEAN, DEVIATION²): there D, and the ODE's path, are known.

D(x, sigma) = (s² x + sigma² m) / (s² + sigma²), and x - m grows along the ODE as sqrt(s² + sigma²).
"""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from scipy import stats

from fewstain.diffusion.samplers import (
    ddim,
    ddpm,
    dpmpp_2m,
    euler,
    euler_maruyama,
    heun,
    posterior_variance,
    rk4,
)

MEAN, DEVIATION = 0.3, 0.5
HIGH, LOW = 5.0, 0.05


def denoise(x, sigma):
    return (DEVIATION**2 * x + sigma**2 * MEAN) / (DEVIATION**2 + sigma**2)


def levels(steps, high=HIGH, low=LOW):
    return np.geomspace(high, low, steps + 1).tolist()


def exact(x, sigma, after):
    return MEAN + (x - MEAN) * math.sqrt((DEVIATION**2 + after**2) / (DEVIATION**2 + sigma**2))


def normals(shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=generator, dtype=torch.float64)


def no_noise():
    raise AssertionError("noise was drawn")


def measured_order(errors):
    return [math.log2(coarse / fine) for coarse, fine in pairwise(errors)]


@pytest.mark.parametrize(("sampler", "order"), [(euler, 1), (heun, 2), (rk4, 4), (dpmpp_2m, 2)])
@pytest.mark.parametrize(("start", "end"), [(HIGH, LOW), (LOW, HIGH)], ids=["to the image", "to the noise"])
def test_order_of_convergence(sampler, order, start, end):
    x = torch.tensor([[4.0], [-7.0]], dtype=torch.float64)
    truth = exact(x, start, end)
    errors = [
        float((sampler(denoise, x, levels(steps, start, end)) - truth).abs().max()) for steps in (64, 128, 256, 512)
    ]
    assert measured_order(errors) == pytest.approx([order] * 3, abs=0.15)


@pytest.mark.parametrize(("sampler", "evaluations"), [(euler, 1), (heun, 2), (rk4, 4), (dpmpp_2m, 1)])
def test_evaluations_of_the_network(sampler, evaluations):
    asked = []

    def counting(x, sigma):
        asked.append(sigma)
        return denoise(x, sigma)

    sampler(counting, torch.ones(1, 1), [*levels(5), 0.0])
    assert len(asked) == 5 * evaluations + 1
    assert min(asked) == LOW


@pytest.mark.parametrize("sampler", [euler, heun, rk4, dpmpp_2m])
def test_the_last_step_ends_at_the_denoised_image(sampler):
    x = torch.tensor([1.7], dtype=torch.float64)
    torch.testing.assert_close(sampler(denoise, x, [0.4, 0.0]), denoise(x, 0.4))


def test_ddim_is_euler_in_its_own_coordinates():
    x = normals((3, 1, 4, 4))()
    grid = [*levels(9), 0.0]
    torch.testing.assert_close(ddim(denoise, x, grid, no_noise), euler(denoise, x, grid), atol=1e-13, rtol=0)


@pytest.fixture(params=[0.0, 0.4, 1.0])
def eta(request):
    return request.param


@pytest.fixture
def schedule():
    """A noise schedule; every 5th timestep, falling; their levels and 0."""
    scheduler = DDPMScheduler(num_train_timesteps=100, clip_sample=False, timestep_spacing="trailing")
    timesteps = list(range(99, 0, -5))
    alphas = scheduler.alphas_cumprod[timesteps].double()
    return scheduler, timesteps, [*((1 - alphas) / alphas).sqrt().tolist(), 0.0]


def test_ddim_is_diffusers_ddim_divided_by_root_abar(schedule, eta):
    scheduler, timesteps, sigmas = schedule
    theirs = DDIMScheduler.from_config(scheduler.config)
    theirs.set_timesteps(len(timesteps))
    assert theirs.timesteps.tolist() == timesteps
    start = normals((2, 1, 4, 4))()
    draw, image = normals(start.shape, 1), start
    for timestep, sigma in zip(timesteps, sigmas, strict=False):
        x = image * math.sqrt(1 + sigma**2)
        epsilon = (x - denoise(x, sigma)) / sigma
        noise = draw() if eta else None
        image = theirs.step(epsilon, timestep, image, eta=eta, variance_noise=noise).prev_sample
    ours = ddim(denoise, start * math.sqrt(1 + sigmas[0] ** 2), sigmas, normals(start.shape, 1), eta)
    torch.testing.assert_close(ours, image, atol=2e-5, rtol=0)  # diffusers keeps abar in float32


def test_eta_1_is_ddpm_and_has_its_variance(schedule):
    """Ho et al., eq. 7: beta_t (1 - abar_{t-1}) / (1 - abar_t), here divided by abar_{t-1}."""
    scheduler, _, sigmas = schedule
    x = normals((2, 1, 4, 4))() * sigmas[0]
    eta_1 = ddim(denoise, x, sigmas, normals(x.shape, 1), 1.0)
    torch.testing.assert_close(eta_1, ddpm(denoise, x, sigmas, normals(x.shape, 1)), atol=1e-13, rtol=0)

    abar = scheduler.alphas_cumprod.double()
    every = ((1 - abar) / abar).sqrt().tolist()
    for t in (1, 40, 99):
        beta = 1 - abar[t] / abar[t - 1]
        expected = float(beta * (1 - abar[t - 1]) / (1 - abar[t]) / abar[t - 1])
        assert posterior_variance(every[t], every[t - 1]) == pytest.approx(expected, rel=1e-9)
    drawn = ddim(denoise, torch.zeros(200_000, dtype=torch.float64), every[40:38:-1], normals(200_000), 1.0)
    assert float(drawn.var()) == pytest.approx(posterior_variance(every[40], every[39]), rel=0.01)


def test_chance_grows_with_eta():
    x = torch.full((100_000,), 2.0, dtype=torch.float64)
    variances = [float(ddim(denoise, x, [1.0, 0.5], normals(x.shape), eta).var()) for eta in (0.0, 0.25, 0.5, 1.0)]
    expected = [eta**2 * posterior_variance(1.0, 0.5) for eta in (0.0, 0.25, 0.5, 1.0)]
    assert variances == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize("sampler", [ddpm, euler_maruyama])
def test_marginals_of_the_samplers_with_chance(sampler):
    """Kolmogorov-Smirnov at three levels of one run; a wrong noise, of 1.05 times the size, does not pass."""
    n = 20_000
    variance = DEVIATION**2
    grid = levels(1200)
    x = MEAN + math.sqrt(variance + HIGH**2) * normals(n, 2)()
    draw = normals(n, 3)
    for begin, end in ((0, 400), (400, 800), (800, 1200)):
        x = sampler(denoise, x, grid[begin : end + 1], draw)
        law = stats.norm(MEAN, math.sqrt(variance + grid[end] ** 2))
        assert stats.kstest(x.numpy(), law.cdf).pvalue > 0.01
    louder = sampler(denoise, x * 0 + MEAN + HIGH * normals(n, 2)(), grid, lambda: 1.05 * draw())
    assert stats.kstest(louder.numpy(), law.cdf).pvalue < 0.01


def test_ddpm_is_the_sdes_discretisation_to_first_order():
    """With the same noise their ends differ in proportion to the step, root mean square over 4000 pixels."""
    n, finest = 4000, 1024
    generator = normals(n, 4)
    pieces = [generator() for _ in range(finest)]  # of a Brownian path, refined by halving
    x = MEAN + HIGH * normals(n, 6)()
    gaps = []
    for steps in (128, 256, 512, 1024):
        merged = [
            sum(pieces[first : first + finest // steps]) / math.sqrt(finest // steps)
            for first in range(0, finest, finest // steps)
        ]
        ends = [sampler(denoise, x, levels(steps), iter(merged).__next__) for sampler in (ddpm, euler_maruyama)]
        gaps.append(float((ends[0] - ends[1]).square().mean().sqrt()))
    assert measured_order(gaps) == pytest.approx([1.0] * 3, abs=0.1)


def test_a_trajectory_may_be_stopped_and_gone_on_with():
    grid = [*levels(8), 0.0]
    x = normals(5)()
    for sampler in (euler, heun, rk4):
        half = sampler(denoise, x, grid[:5])
        assert torch.equal(sampler(denoise, half, grid[4:]), sampler(denoise, x, grid))
    draw = normals(5, 1)
    half = ddpm(denoise, x, grid[:5], draw)
    assert torch.equal(ddpm(denoise, half, grid[4:], draw), ddpm(denoise, x, grid, normals(5, 1)))
