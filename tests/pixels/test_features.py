import pytest
import torch

from fewstain.diffusion.network import build_denoiser
from fewstain.pixels.extractor import build_extractor
from fewstain.pixels.features import DiffusionFeatures, block_names
from fewstain.settings import DiffusionSettings


@pytest.fixture(scope="module")
def denoiser():
    torch.manual_seed(0)
    return build_denoiser(DiffusionSettings(channels=(8, 16)), 1).eval()


def test_names_go_from_coarse_to_fine(denoiser):
    assert block_names(denoiser) == ("mid", "up0.0", "up0.1", "up1.0", "up1.1")
    found = DiffusionFeatures(denoiser, (5,)).maps(torch.zeros(1, 1, 16, 16))
    assert [tuple(each.shape[2:]) for each in found] == [(4, 4), (4, 4), (4, 4), (8, 8), (8, 8)]


def test_maps_come_timestep_by_timestep_block_by_block(denoiser):
    images = torch.rand(1, 1, 16, 16)
    both = DiffusionFeatures(denoiser, (5, 50), ("up1.1", "mid")).maps(images)
    parts = [DiffusionFeatures(denoiser, (t,), (b,)).maps(images)[0] for t in (5, 50) for b in ("up1.1", "mid")]
    for found, alone in zip(both, parts, strict=True):
        torch.testing.assert_close(found, alone, atol=1e-5, rtol=0)
        assert found.dtype == torch.float32
    assert not any(len(module._forward_hooks) for module in denoiser.modules())


def test_an_image_does_not_depend_on_its_batch(denoiser):
    images = torch.rand(3, 1, 16, 16) * 2 - 1
    extractor = DiffusionFeatures(denoiser, (20, 80))
    for together, alone in zip(extractor.maps(images), extractor.maps(images[1:2]), strict=True):
        torch.testing.assert_close(together[1:2], alone, atol=1e-5, rtol=0)


def noisy(denoiser, images, origin=(0, 0), draw=0, seed=0, timestep=80):
    """The noised image that the network sees."""
    extractor = DiffusionFeatures(denoiser, (timestep,), seed=seed)
    seen = []
    hook = denoiser.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    extractor.maps(images, origin, draw)
    hook.remove()
    return seen[0]


def test_a_tile_sees_the_noise_of_the_whole(denoiser):
    image = torch.rand(1, 1, 96, 96) * 2 - 1
    whole, tile = noisy(denoiser, image), noisy(denoiser, image[..., 32:80, 48:96], (32, 48))
    assert torch.equal(whole[..., 32:80, 48:96], tile)
    assert not torch.equal(tile, noisy(denoiser, image[..., 32:80, 48:96]))


def test_noise_is_of_the_seed_and_the_draw(denoiser):
    image = torch.zeros(1, 1, 16, 16)
    first = noisy(denoiser, image)
    assert torch.equal(first, noisy(denoiser, image))
    assert not torch.equal(first, noisy(denoiser, image, draw=1))
    assert not torch.equal(first, noisy(denoiser, image, seed=1))


def test_draws_are_averaged(denoiser):
    image = torch.rand(1, 1, 16, 16)
    one, two = (DiffusionFeatures(denoiser, (80,), ("mid",), noise_draws=n) for n in (1, 2))
    expected = (one.maps(image, draw=2)[0] + one.maps(image, draw=3)[0]) / 2
    torch.testing.assert_close(two.maps(image, draw=1)[0], expected, atol=1e-5, rtol=0)


def test_bfloat16_comes_back_as_float32(denoiser):
    image = torch.rand(1, 1, 16, 16)
    plain, rough = (
        DiffusionFeatures(denoiser, (80,), ("mid",), autocast=each).maps(image)[0] for each in (False, True)
    )
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough, plain, atol=0.1, rtol=0.1)


def test_the_products_extractor(denoiser):
    options = {"noise_draws": 1, "seed": 0, "autocast": False}
    image = torch.rand(1, 1, 16, 16)
    without = build_extractor(denoiser, (20,), ("mid",), filters=False, **options).maps(image)
    both = build_extractor(denoiser, (20,), ("mid",), filters=True, **options)
    found = both.maps(image)
    assert (len(without), len(found), both.multiple) == (1, 2, 4)
    assert torch.equal(found[0][:, :1], image)
    torch.testing.assert_close(found[1], without[0])
