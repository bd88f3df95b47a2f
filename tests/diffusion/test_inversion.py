import pytest
import torch

from fewstain.diffusion.inversion import ddim_inverse, invert
from fewstain.diffusion.samplers import euler
from fewstain.diffusion.sampling import sample
from fewstain.errors import UserError


def psnr(images, truth):
    """Decibels, for a range of 2."""
    return float(10 * torch.log10(4 / (images - truth).square().mean()))


def images():
    return 0.3 + 0.15 * torch.randn((3, 1, 16, 16), generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(("rounds", "bound"), [(1, 38), (3, 60), (6, 90)])
def test_invert_then_sample_returns_the_image(gaussian_denoiser, rounds, bound):
    denoiser, truth = gaussian_denoiser(0.3, 0.15), images()
    noise = invert(denoiser, truth, steps=20, rounds=rounds)
    assert psnr(sample(denoiser, 3, (16, 16), steps=20, seed=0, noise=noise), truth) > bound


def test_the_noise_of_images_of_the_denoisers_kind_is_standard_normal(gaussian_denoiser):
    noise = invert(gaussian_denoiser(0.3, 0.15), images(), steps=100)
    assert float(noise.mean()) == pytest.approx(0, abs=0.1)
    assert float(noise.std()) == pytest.approx(1, abs=0.1)


def test_solved_to_the_end_it_undoes_each_of_eulers_steps():
    def denoise(x, sigma):
        return 0.5 * torch.tanh(x) + 0.2 * torch.cos(sigma * x)

    x = torch.linspace(-1, 1, 9, dtype=torch.float64)
    grid = [0.3, 0.5, 0.9, 1.5]
    noised = ddim_inverse(denoise, x, grid, rounds=60)
    torch.testing.assert_close(euler(denoise, noised, grid[::-1]), x, atol=1e-9, rtol=0)


def test_rounds_are_evaluations():
    asked = []

    def denoise(x, sigma):
        asked.append(sigma)
        return 0 * x

    ddim_inverse(denoise, torch.ones(1), [0.0, 0.5, 1.0], rounds=3)
    assert asked == [0.5] * 3 + [1.0] * 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "takes 1 to 200"),
        ({"rounds": 0}, "at least 1"),
        ({"images": torch.zeros(1, 3, 8, 8)}, r"takes \(n, 1, height, width\)"),
        ({"images": torch.zeros(1, 1, 8, 7)}, "multiples of 2, as 8 x 6"),
    ],
)
def test_wrong_wishes_are_told(gaussian_denoiser, wrong, message):
    wishes = {"images": torch.zeros(1, 1, 8, 8), "steps": 5} | wrong
    with pytest.raises(UserError, match=message):
        invert(gaussian_denoiser(0.0, 0.2), **wishes)


def test_no_images_have_no_noise(gaussian_denoiser):
    assert invert(gaussian_denoiser(0.0, 0.2), torch.zeros(0, 1, 8, 8), steps=2).shape == (0, 1, 8, 8)
