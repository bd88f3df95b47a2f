from itertools import pairwise

import numpy as np
import pytest
import torch

from fewstain.diffusion.draws import starting_noise
from fewstain.diffusion.methods import METHODS
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.variation import branch, noise_path, outcome_variance
from fewstain.errors import UserError

MEAN, DEVIATION = 0.1, 0.2


def test_variance_of_outcomes_falls_along_ddpms_path_as_the_posterior_says(gaussian_denoiser):
    """Given x at level sigma, x_0 has variance s² sigma² / (s² + sigma²)."""
    denoiser = gaussian_denoiser(MEAN, DEVIATION, train_timesteps=1000)
    at = (0, 400, 600, 800, 900, 950, 1000)
    variance = outcome_variance(branch(denoiser, (16, 16), at, 24, steps=1000, seed=0)).numpy()
    levels = np.array(METHODS["ddpm"].grid(denoiser.scheduler, 1000))[list(at)]
    expected = DEVIATION**2 * levels**2 / (DEVIATION**2 + levels**2)
    np.testing.assert_allclose(variance, expected, rtol=0.1, atol=1e-5)
    assert (np.diff(variance[1:]) < 0).all()
    assert variance[-1] == 0


def test_ddim_has_decided_everything_at_any_point(gaussian_denoiser):
    outcomes = branch(gaussian_denoiser(MEAN, DEVIATION), (8, 8), (0, 3, 7, 10), 3, steps=10, seed=0, method="ddim")
    assert outcome_variance(outcomes).tolist() == [0, 0, 0, 0]
    some = branch(gaussian_denoiser(MEAN, DEVIATION), (8, 8), (0, 3), 3, steps=10, seed=0, method="ddim", eta=0.5)
    assert (outcome_variance(some) > 0).all()


@pytest.mark.parametrize("method", ["ddpm", "ddim", "sde"])
def test_the_trajectory_is_that_of_the_first_image(gaussian_denoiser, method):
    denoiser = gaussian_denoiser(MEAN, DEVIATION)
    whole = sample(denoiser, 1, (8, 8), steps=10, seed=5, method=method)
    for at in ((10,), (10, 4), (0, 4, 10)):
        outcomes = branch(denoiser, (8, 8), at, 2, steps=10, seed=5, method=method)
        assert torch.equal(outcomes[at.index(10), 0], whole[0])


def test_interpolated_noise_gives_a_smooth_path_of_images(gaussian_denoiser):
    """Twice the points are half the strides, and no stride is much longer than the others."""
    denoiser = gaussian_denoiser(MEAN, DEVIATION)
    start, end = starting_noise(0, range(2), (1, 16, 16))
    longest = []
    for n in (9, 17, 33):
        images = sample(denoiser, n, (16, 16), steps=10, seed=0, noise=noise_path(start, end, n))
        strides = (images[1:] - images[:-1]).flatten(1).norm(dim=1)
        assert float(strides.max() / strides.mean()) < 1.1
        longest.append(float(strides.max()))
    assert longest[0] / longest[1] == pytest.approx(2, rel=0.05)
    assert longest[1] / longest[2] == pytest.approx(2, rel=0.05)


def test_noise_on_the_path_is_as_strong_as_at_its_ends():
    start, end = starting_noise(0, range(2), (2, 32, 32))
    path = noise_path(start, end, 5)
    assert torch.equal(path[0], start)
    assert torch.equal(path[-1], end)
    assert [float(point.std()) for point in path] == pytest.approx([1.0] * 5, abs=0.04)
    cosines = [float((a * b).sum() / (a.norm() * b.norm())) for a, b in pairwise(path)]
    assert cosines == pytest.approx([cosines[0]] * 4, abs=0.02)


def test_a_path_from_a_noise_to_itself_stays_there():
    noise = starting_noise(0, [0], (1, 4, 4))[0]
    torch.testing.assert_close(noise_path(noise, noise, 3), noise.expand(3, 1, 4, 4))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"at": (3, 11)}, "branch at 11; this trajectory has 10 steps"),
        ({"at": (-1,)}, "choose from 0 to 10"),
        ({"branches": 1}, "at least 2"),
        ({"method": "euler"}, "choose one of ddpm, ddim, sde"),
        ({"steps": 0}, "takes 1 to 200"),
        ({"size": (8, 9)}, "multiples of 2"),
    ],
)
def test_wrong_wishes_are_told(gaussian_denoiser, wrong, message):
    wishes = {"size": (8, 8), "at": (0,), "branches": 2, "steps": 10, "seed": 0} | wrong
    with pytest.raises(UserError, match=message):
        branch(gaussian_denoiser(MEAN, DEVIATION), **wishes)


@pytest.mark.parametrize(
    ("end", "n", "message"), [((1, 4, 6), 3, "two of one shape"), ((1, 4, 4), 1, "choose 2 or more")]
)
def test_paths_without_ends_are_told(end, n, message):
    with pytest.raises(UserError, match=message):
        noise_path(torch.zeros(1, 4, 4), torch.zeros(end), n)
