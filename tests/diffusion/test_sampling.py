import pytest
import torch

from fewstain.diffusion.draws import starting_noise
from fewstain.diffusion.network import build_denoiser
from fewstain.diffusion.sampling import sample
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return build_denoiser(DiffusionSettings(channels=(8,), crop=16, train_timesteps=400), 2).eval()


@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction"])
@pytest.mark.parametrize(
    ("method", "steps"),
    [("ddim", 100), ("ddpm", 200), ("euler", 100), ("heun", 201), ("rk4", 401), ("dpm++", 100), ("sde", 200)],
)
def test_the_best_denoiser_gives_back_the_distribution(gaussian_denoiser, method, steps, prediction):
    denoiser = gaussian_denoiser(0.3, 0.15, prediction)
    images = sample(denoiser, 6, (32, 32), steps=steps, seed=0, method=method)
    assert images.shape == (6, 1, 32, 32)
    assert float(images.mean()) == pytest.approx(0.3, abs=0.02)
    assert float(images.std()) == pytest.approx(0.15, rel=0.08)


def test_an_image_depends_on_seed_and_number_alone(gaussian_denoiser):
    denoiser = gaussian_denoiser(0.0, 0.2)
    many = sample(denoiser, 5, (8, 8), steps=10, seed=4, method="ddpm", batch_size=2)
    one = sample(denoiser, 1, (8, 8), steps=10, seed=4, method="ddpm")
    assert torch.equal(many[:1], one)
    assert not torch.equal(many[0], many[1])
    assert not torch.equal(one, sample(denoiser, 1, (8, 8), steps=10, seed=5, method="ddpm"))


@pytest.mark.parametrize("method", ["ddpm", "ddim", "euler", "heun", "rk4", "dpm++", "sde"])
def test_the_same_noise_and_steps_paint_the_same_image_bit_for_bit(tiny, method):
    wishes = {"steps": 6, "seed": 3, "method": method}
    images = sample(tiny, 2, (16, 16), **wishes)
    noise = starting_noise(3, range(2), (2, 16, 16))
    assert torch.equal(sample(tiny, 2, (16, 16), **wishes, noise=noise), images)
    assert not torch.equal(sample(tiny, 2, (16, 16), **wishes, noise=noise.flip(0)), images)


def test_only_samplers_with_chance_ask_the_seed_once_they_have_their_noise(tiny):
    noise = starting_noise(0, [0], (2, 16, 16))
    for method, chance in (("ddim", False), ("dpm++", False), ("ddpm", True), ("sde", True)):
        first, second = (sample(tiny, 1, (16, 16), steps=4, seed=seed, method=method, noise=noise) for seed in (1, 2))
        assert torch.equal(first, second) != chance
    first, second = (sample(tiny, 1, (16, 16), steps=4, seed=seed, eta=0.5, noise=noise) for seed in (1, 2))
    assert not torch.equal(first, second)


def test_20_steps_of_ddim_stay_close_to_200(tiny, gaussian_denoiser):
    """Root mean square of the difference as a share of the images' own deviation; 20 steps are nearer than 5."""
    for denoiser in (tiny, gaussian_denoiser(0.3, 0.15)):
        few, some, many = (sample(denoiser, 4, (16, 16), steps=steps, seed=0) for steps in (5, 20, 200))
        distances = [float((images - many).square().mean().sqrt() / many.std()) for images in (few, some)]
        assert distances[1] < 0.2
        assert distances[1] < distances[0] / 2


def test_steps_are_evaluations_of_the_network(gaussian_denoiser):
    class Counting(gaussian_denoiser):
        calls = 0

        def forward(self, noisy, timestep):
            self.calls += 1
            return super().forward(noisy, timestep)

    for method, spent in (
        ("ddpm", 20),
        ("ddim", 20),
        ("euler", 20),
        ("dpm++", 20),
        ("sde", 20),
        ("heun", 19),
        ("rk4", 17),
    ):
        denoiser = Counting(0.0, 0.2)
        sample(denoiser, 1, (8, 8), steps=20, seed=0, method=method)
        assert denoiser.calls == spent, method


def test_a_network_is_sampled_within_range(tiny):
    images = sample(tiny, 3, (16, 24), steps=3, seed=0)
    assert images.shape == (3, 2, 16, 24)
    assert float(images.abs().max()) <= 1
    assert not images.requires_grad


def test_no_image_asked_for_is_none_given(gaussian_denoiser):
    assert sample(gaussian_denoiser(0.0, 0.2), 0, (8, 8), steps=2, seed=0).shape == (0, 1, 8, 8)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"method": "magic"}, "no sampler 'magic'"),
        ({"steps": 201}, "takes 1 to 200"),
        ({"steps": 0}, "takes 1 to 200"),
        ({"steps": 4, "method": "rk4"}, "rk4 takes 5 to 797"),
        ({"steps": 2, "method": "heun"}, "heun takes 3 to 399"),
        ({"size": (8, 9)}, "multiples of 2, as 8 x 8"),
        ({"eta": 1.1}, "from 0 to 1"),
        ({"eta": 0.5, "method": "euler"}, "only ddim has one"),
        ({"noise": torch.zeros(1, 1, 8, 6)}, r"shape \(1, 1, 8, 6\).*shape \(1, 1, 8, 8\)"),
    ],
)
def test_wrong_wishes_are_told(gaussian_denoiser, wrong, message):
    wishes = {"n": 1, "size": (8, 8), "steps": 2, "seed": 0} | wrong
    with pytest.raises(UserError, match=message):
        sample(gaussian_denoiser(0.0, 0.2), **wishes)


def test_euler_paints_what_ddim_paints(tiny):
    first, second = (sample(tiny, 2, (16, 16), steps=10, seed=0, method=method) for method in ("ddim", "euler"))
    torch.testing.assert_close(first, second, atol=1e-4, rtol=0)
