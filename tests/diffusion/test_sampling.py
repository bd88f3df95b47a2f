import pytest
import torch
from diffusers import DDPMScheduler
from torch import nn

from fewstain.diffusion.network import build_denoiser
from fewstain.diffusion.sampling import sample
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings


class GaussianDenoiser(nn.Module):
    """The best answer for images whose pixels are independent N(mean, deviation²).

    x_t is then N(sqrt(abar) mean, v) with v = abar deviation² + 1 - abar, and
    E[epsilon | x_t] = sqrt(1 - abar) (x_t - sqrt(abar) mean) / v.
    """

    multiple, image_channels = 2, 1

    def __init__(self, mean, deviation, prediction):
        super().__init__()
        self.mean, self.deviation = mean, deviation
        self.scheduler = DDPMScheduler(
            num_train_timesteps=200, beta_schedule="squaredcos_cap_v2", prediction_type=prediction
        )
        self.device_holder = nn.Parameter(torch.zeros(()))

    def forward(self, noisy, timestep):
        alpha = self.scheduler.alphas_cumprod[timestep][:, None, None, None]
        centred = noisy - alpha.sqrt() * self.mean
        epsilon = (1 - alpha).sqrt() * centred / (alpha * self.deviation**2 + 1 - alpha)
        if self.scheduler.config["prediction_type"] == "epsilon":
            return epsilon
        clean = self.mean + alpha.sqrt() * self.deviation**2 * centred / (alpha * self.deviation**2 + 1 - alpha)
        return alpha.sqrt() * epsilon - (1 - alpha).sqrt() * clean


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(("method", "steps"), [("ddim", 100), ("ddpm", 200)])
def test_the_best_denoiser_gives_back_the_distribution(method, steps, prediction):
    denoiser = GaussianDenoiser(0.3, 0.15, prediction)
    images = sample(denoiser, 6, (32, 32), steps=steps, seed=0, method=method)
    assert images.shape == (6, 1, 32, 32)
    assert float(images.mean()) == pytest.approx(0.3, abs=0.02)
    assert float(images.std()) == pytest.approx(0.15, rel=0.08)


def test_an_image_depends_on_seed_and_number_alone():
    denoiser = GaussianDenoiser(0.0, 0.2, "epsilon")
    many = sample(denoiser, 5, (8, 8), steps=10, seed=4, method="ddpm", batch_size=2)
    one = sample(denoiser, 1, (8, 8), steps=10, seed=4, method="ddpm")
    assert torch.equal(many[:1], one)
    assert not torch.equal(many[0], many[1])
    assert not torch.equal(one, sample(denoiser, 1, (8, 8), steps=10, seed=5, method="ddpm"))


def test_a_network_is_sampled_within_range():
    torch.manual_seed(0)
    denoiser = build_denoiser(DiffusionSettings(channels=(8,), crop=16), 2)
    images = sample(denoiser, 3, (16, 24), steps=3, seed=0)
    assert images.shape == (3, 2, 16, 24)
    assert float(images.abs().max()) <= 1
    assert not images.requires_grad


def test_no_image_asked_for_is_none_given():
    assert sample(GaussianDenoiser(0.0, 0.2, "epsilon"), 0, (8, 8), steps=2, seed=0).shape == (0, 1, 8, 8)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "magic"}, "no sampler 'magic'"),
        ({"steps": 201}, "takes 1 to 200"),
        ({"steps": 0}, "takes 1 to 200"),
        ({"size": (8, 9)}, "multiples of 2"),
    ],
)
def test_wrong_wishes_are_told(wrong, message):
    wishes = {"n": 1, "size": (8, 8), "steps": 2, "seed": 0} | wrong
    with pytest.raises(UserError, match=message):
        sample(GaussianDenoiser(0.0, 0.2, "epsilon"), **wishes)
