import pytest
import torch
from torch.nn import functional

from fewstain.baselines.gan.discriminator import Discriminator, Encoder, _spread
from fewstain.baselines.gan.generator import Generator, ModulatedConv


def test_modulating_maps_is_modulating_weights_of_each_image():
    torch.manual_seed(0)
    conv = ModulatedConv(3, 5, 3, width=4)
    maps, latents = torch.randn(2, 3, 6, 6), torch.randn(2, 4)
    found = conv(maps, latents)
    for image, latent, output in zip(maps, latents, found, strict=True):
        weight = conv.weight * conv.scale * conv.style(latent[None])[0][None, :, None, None]
        weight = weight / (weight.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
        torch.testing.assert_close(output, functional.conv2d(image[None], weight, padding="same")[0])


def test_a_generator_gives_two_maps_of_each_resolution():
    torch.manual_seed(0)
    generator = Generator((8, 6, 4), 5, 3)
    assert (generator.side, generator.layers) == (16, 6)
    latents = generator.latents(torch.randn(2, 5))[:, None].expand(-1, 6, -1)
    images, maps = generator(latents)
    assert images.shape == (2, 3, 16, 16)
    shapes = [(8, 4), (8, 4), (6, 8), (6, 8), (4, 16), (4, 16)]
    assert [tuple(each.shape) for each in maps] == [(2, width, side, side) for width, side in shapes]


def test_noise_comes_from_the_generator_and_not_without_one():
    torch.manual_seed(0)
    generator = Generator((4, 4), 4, 1)
    for block in (*generator.first, *generator.second):
        torch.nn.init.ones_(block.noise_strength)
    latents = torch.randn(1, 4, 4)
    assert torch.equal(generator(latents)[0], generator(latents)[0])
    noisy = [generator(latents, torch.Generator().manual_seed(seed))[0] for seed in (1, 1, 2)]
    assert torch.equal(noisy[0], noisy[1])
    assert not torch.equal(noisy[0], noisy[2])


def test_noise_by_seed_is_of_each_image_alone():
    torch.manual_seed(0)
    generator = Generator((4, 4), 4, 1)
    for block in (*generator.first, *generator.second):
        torch.nn.init.ones_(block.noise_strength)
    latents = torch.randn(1, 4, 4).expand(3, -1, -1)
    images, _ = generator(latents, generator.noise_of([5, 6, 5]))
    assert torch.equal(images[0], images[2])
    assert not torch.equal(images[0], images[1])
    torch.testing.assert_close(images[1:2], generator(latents[:1], generator.noise_of([6]))[0])


def test_the_spread_of_equal_images_is_nothing():
    maps = torch.rand(1, 3, 4, 4).expand(4, -1, -1, -1)
    assert _spread(maps) == pytest.approx(torch.full((4, 1, 4, 4), 1e-4), abs=1e-6)
    varied = torch.stack([torch.zeros(3, 4, 4), torch.full((3, 4, 4), 2.0)] * 2)
    torch.testing.assert_close(_spread(varied), torch.ones(4, 1, 4, 4), atol=1e-4, rtol=0)


def test_a_score_for_each_image_and_latents_for_each_layer():
    torch.manual_seed(0)
    images = torch.randn(4, 2, 16, 16)
    assert Discriminator((8, 6, 4), 2)(images).shape == (4,)
    assert Encoder((8, 6, 4), 5, 6, 2)(images).shape == (4, 6, 5)
