from itertools import pairwise

import pytest
import torch

from fewstain.diffusion.editing import edit, first_timestep
from fewstain.diffusion.methods import METHODS
from fewstain.diffusion.padding import pad_to_multiple
from fewstain.errors import UserError

MEAN, DEVIATION = 0.3, 0.15
STRENGTHS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)


def painting():
    """Flat, and far from anything that the denoiser has seen."""
    return torch.full((4, 1, 16, 16), -0.6)


@pytest.mark.parametrize("method", METHODS)
def test_strength_0_returns_the_painting_bit_for_bit(gaussian_denoiser, method):
    paintings = torch.rand((3, 1, 8, 8), generator=torch.Generator().manual_seed(0)) * 2 - 1
    edited = edit(gaussian_denoiser(MEAN, DEVIATION), paintings, 0.0, steps=5, seed=0, method=method)
    assert torch.equal(edited, paintings)
    assert edited is not paintings


@pytest.mark.parametrize(("method", "steps"), [("ddpm", 50), ("ddim", 50), ("sde", 200), ("dpm++", 20), ("heun", 41)])
def test_stronger_edits_are_less_faithful_and_more_real(gaussian_denoiser, method, steps):
    denoiser = gaussian_denoiser(MEAN, DEVIATION)
    edited = [edit(denoiser, painting(), strength, steps=steps, seed=0, method=method) for strength in STRENGTHS]
    unfaithful = [float((images - painting()).square().mean()) for images in edited]
    unreal = [abs(float(images.mean()) - MEAN) + abs(float(images.std()) - DEVIATION) for images in edited]
    assert unfaithful == sorted(unfaithful)
    # from half the schedule on nothing is left to gain but chance
    assert all(stronger < weaker + 0.01 for weaker, stronger in pairwise(unreal))
    assert unfaithful[1] < unfaithful[-1] / 5
    assert unreal[-1] < 0.05 < unreal[2]


def test_strength_1_keeps_nothing_of_the_painting(gaussian_denoiser):
    denoiser = gaussian_denoiser(MEAN, DEVIATION)
    one, other = (edit(denoiser, image, 1.0, steps=20, seed=0) for image in (painting(), -painting()))
    torch.testing.assert_close(one, other, atol=1e-3, rtol=0)


def test_an_edit_depends_on_its_painting_seed_and_number(gaussian_denoiser):
    denoiser = gaussian_denoiser(MEAN, DEVIATION)
    many = edit(denoiser, painting(), 0.5, steps=8, seed=1, method="ddpm")
    assert torch.equal(edit(denoiser, painting()[:2], 0.5, steps=8, seed=1, method="ddpm"), many[:2])
    assert not torch.equal(many[0], many[1])
    assert not torch.equal(edit(denoiser, painting(), 0.5, steps=8, seed=2, method="ddpm"), many)


@pytest.mark.parametrize(("strength", "first"), [(0, None), (0.0004, None), (0.001, 0), (0.5, 499), (1, 999)])
def test_strength_is_a_share_of_the_schedule(strength, first):
    assert first_timestep(1000, strength) == first


def test_paintings_of_any_size(gaussian_denoiser):
    denoiser = gaussian_denoiser(MEAN, DEVIATION)
    paintings = torch.rand(1, 1, 9, 7) - 0.5
    edited = edit(denoiser, paintings, 0.5, steps=5, seed=0)
    assert edited.shape == paintings.shape
    whole = edit(denoiser, pad_to_multiple(paintings, denoiser.multiple), 0.5, steps=5, seed=0)
    assert torch.equal(edited, whole[..., :9, :7])
    assert torch.equal(edit(denoiser, paintings, 0.0, steps=5, seed=0), paintings)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"strength": 2.0}, "strength 2.0; choose one from 0"),
        ({"strength": -0.1}, "strength -0.1"),
        ({"strength": float("nan")}, "strength nan"),
        ({"steps": 0}, "takes 1 to 200"),
        ({"method": "magic"}, "no sampler"),
        ({"paintings": torch.zeros(1, 3, 8, 8)}, r"takes \(n, 1, height, width\)"),
    ],
)
def test_wrong_wishes_are_told(gaussian_denoiser, wrong, message):
    wishes = {"paintings": torch.zeros(1, 1, 8, 8), "strength": 0.5, "steps": 5, "seed": 0} | wrong
    with pytest.raises(UserError, match=message):
        edit(gaussian_denoiser(MEAN, DEVIATION), **wishes)
