import pytest
import torch
from torch.nn import functional

from fewstain.diffusion.latent.code import BlockCode, fit_code


def smooth(n, channels=1, side=16):
    """Random fields (n, channels, side, side) that vary slowly."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand((n, channels, 4, 4), generator=generator) * 2 - 1
    return functional.interpolate(coarse, size=(side, side), mode="bicubic")


def test_latents_are_the_principal_components_of_blocks_each_of_variance_1():
    crops = smooth(64, channels=2)
    latents = fit_code(crops, 5, 4).encode(crops).movedim(1, -1).flatten(0, 2).double()
    torch.testing.assert_close(latents.mean(dim=0), torch.zeros(5, dtype=torch.double), atol=1e-4, rtol=0)
    torch.testing.assert_close(latents.T @ latents / len(latents), torch.eye(5, dtype=torch.double), atol=1e-3, rtol=0)


def test_the_first_latent_of_flat_blocks_is_their_brightness():
    levels = torch.linspace(-1, 1, 9)
    crops = levels[:, None, None, None].expand(9, 1, 8, 8)
    code = fit_code(crops, 2, 4)
    latents = code.encode(crops)
    expected = levels / levels.square().mean().sqrt()
    torch.testing.assert_close(latents[:, 0, 0, 0], expected, atol=1e-5, rtol=0)
    assert float(latents[:, 1].abs().max()) < 0.1  # there is nothing else to tell
    torch.testing.assert_close(code.decode(latents), crops.contiguous(), atol=1e-3, rtol=0)


def test_with_as_many_latents_as_pixels_nothing_is_lost():
    crops = torch.rand((64, 2, 8, 8), generator=torch.Generator().manual_seed(1)) * 2 - 1
    code = fit_code(crops, 8, 2)
    others = torch.rand(1, 2, 6, 10) * 2 - 1
    torch.testing.assert_close(code.decode(code.encode(others)), others, atol=1e-3, rtol=0)


def test_it_is_better_than_means_and_cubic_interpolation():
    crops = smooth(80, side=32)
    seen, other = crops[:64], crops[64:]
    code = fit_code(seen, 4, 4)
    coarse = functional.interpolate(functional.avg_pool2d(other, 4), scale_factor=4, mode="bicubic")
    errors = [float((images - other).square().mean()) for images in (code.decode(code.encode(other)), coarse)]
    assert errors[0] < errors[1] / 4


@pytest.mark.parametrize("latents", [2, 5])
def test_latents_beyond_the_pixels_of_a_block_are_0(latents):
    code = fit_code(smooth(4, channels=2), latents, 1)
    coded = code.encode(smooth(1, channels=2))
    assert coded.shape == (1, latents, 16, 16)
    assert not coded[:, 2:].any()
    torch.testing.assert_close(code.decode(coded), smooth(1, channels=2), atol=1e-3, rtol=0)


def test_it_comes_back_from_its_file(tmp_path):
    code = fit_code(smooth(4), 3, 4)
    code.save(tmp_path)
    again = BlockCode.read(tmp_path)
    assert (again.factor, again.image_channels) == (4, 1)
    assert all(torch.equal(values, again.state_dict()[name]) for name, values in code.state_dict().items())
