import json

import pytest
import torch
from diffusers.models.attention_processor import Attention
from safetensors.torch import load_file, save_file
from torch.nn import functional

from fewstain.diffusion.latent import vae as vae_module
from fewstain.diffusion.latent.code import fit_code
from fewstain.diffusion.latent.vae import _in_windows, build_vae, load_vae
from fewstain.errors import UserError
from fewstain.settings import VaeSettings

TINY = VaeSettings(channels=(8, 16), latent_channels=3)
WEIGHTS = "vae/diffusion_pytorch_model.safetensors"


def tiny(settings=TINY, channels=2):
    torch.manual_seed(0)
    code = fit_code(torch.rand(16, channels, 16, 16) * 2 - 1, settings.latent_channels, settings.factor)
    return build_vae(settings, code).eval()


def trained(vae):
    """Give it weights as after some training: none of them 0."""
    with torch.no_grad():
        for parameter in vae.parameters():
            parameter.add_(0.1 * torch.randn(parameter.shape))
    return vae


@pytest.mark.parametrize(
    ("unshuffle", "channels", "factor"), [(2, (8, 16), 4), (1, (8, 8, 8), 4), (4, (8, 8), 8), (1, (8,), 1)]
)
@pytest.mark.parametrize("cells", [(1, 1), (4, 4), (3, 7)])
def test_images_of_any_size_become_latents_and_images_of_that_size(unshuffle, channels, factor, cells):
    vae = tiny(VaeSettings(unshuffle=unshuffle, channels=channels, latent_channels=5))
    size = (cells[0] * factor, cells[1] * factor)
    latents = vae.encode(torch.zeros(2, 2, *size))
    assert (vae.factor, vae.image_channels, vae.latent_channels) == (factor, 2, 5)
    assert latents.shape == (2, 5, *cells)
    assert vae.decode(latents).shape == (2, 2, *size)


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_before_training_it_does_what_its_code_does(channels):
    vae = tiny(channels=channels)
    images = torch.rand(1, channels, 12, 16) * 2 - 1
    latents = vae.encode(images)
    torch.testing.assert_close(latents, vae.code.encode(images))
    torch.testing.assert_close(vae.decode(latents), vae.code.decode(latents).clamp(-1, 1))


def test_there_is_no_attention_so_that_memory_grows_with_the_area_alone():
    assert not [module for module in tiny().modules() if isinstance(module, Attention)]


def test_standardised_latents_are_those_of_before_shifted_and_scaled_and_decode_as_before():
    vae = trained(tiny())
    images = torch.rand(1, 2, 8, 12) * 2 - 1
    raw = vae.encode(images)
    decoded = vae.decode(raw)
    vae.standardise([1.0, 0.0, -2.0], [0.5, 1.0, 4.0])
    latents = vae.encode(images)
    torch.testing.assert_close(latents[:, 0], (raw[:, 0] - 1) / 0.5)
    torch.testing.assert_close(latents[:, 1], raw[:, 1])
    torch.testing.assert_close(latents[:, 2], (raw[:, 2] + 2) / 4)
    torch.testing.assert_close(vae.decode(latents), decoded)


def test_what_is_decoded_is_an_image():
    assert float(tiny().decode(100 * torch.randn(1, 3, 4, 4)).abs().max()) <= 1


@pytest.mark.parametrize("size", [(40, 40), (100, 24), (72, 132)])
def test_windows_of_a_local_map_agree_with_the_whole(size):
    """Means over 4 x 4 blocks and repeated pixels do not look beyond a latent, so that windows lose nothing."""
    images = torch.rand(1, 2, *size)
    seen = []

    def shrink(part):
        seen.append(part.shape[2:])
        return functional.avg_pool2d(part, 4)

    torch.testing.assert_close(_in_windows(shrink, images, 32), functional.avg_pool2d(images, 4))
    assert all(max(shape) <= 32 for shape in seen)
    latents = functional.avg_pool2d(images, 4)
    grown = _in_windows(lambda part: functional.interpolate(part, scale_factor=4), latents, 8)
    torch.testing.assert_close(grown, functional.interpolate(latents, scale_factor=4))


def test_large_images_go_through_in_windows(monkeypatch):
    monkeypatch.setattr(vae_module, "TILE", 16)
    vae = tiny()
    latents = vae.encode(torch.rand(1, 2, 24, 40))
    assert latents.shape == (1, 3, 6, 10)
    assert vae.decode(latents).shape == (1, 2, 24, 40)


@pytest.mark.parametrize(
    ("shape", "told"),
    [((1, 3, 8, 8), r"takes \(n, 2, height, width\)"), ((1, 2, 8, 9), "8 x 9 pixels; this VAE needs multiples of 4")],
)
def test_images_that_it_cannot_take_are_told(shape, told):
    with pytest.raises(UserError, match=told):
        tiny().encode(torch.zeros(shape))


def test_images_in_place_of_latents_are_told():
    with pytest.raises(UserError, match=r"shape \(1, 2, 8, 8\).*decodes \(n, 3, .*encode images first"):
        tiny().decode(torch.zeros(1, 2, 8, 8))


def test_a_loaded_vae_answers_as_the_saved_one(tmp_path):
    vae = trained(tiny())
    vae.standardise([0.1, 0.2, 0.3], [1.0, 2.0, 1 / 3])
    vae.save(tmp_path)
    loaded, images = load_vae(tmp_path), torch.rand(1, 2, 16, 8)
    assert torch.equal(loaded.encode(images), vae.encode(images))
    assert torch.equal(loaded.decode(loaded.encode(images)), vae.decode(vae.encode(images)))
    assert not loaded.training
    assert sorted(path.name for path in (tmp_path / "vae").iterdir()) == [
        "code.safetensors",
        "config.json",
        "diffusion_pytorch_model.safetensors",
        "stem.json",
    ]


def cut_short(folder):
    (folder / WEIGHTS).write_bytes((folder / WEIGHTS).read_bytes()[:-100])


def of_another_network(folder):
    config = folder / "vae" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"block_out_channels": [8, 24]}))


def lacking_a_tensor(folder):
    tensors = load_file(folder / WEIGHTS)
    del tensors["quant_conv.bias"]
    save_file(tensors, folder / WEIGHTS, {"format": "pt"})


def of_another_code(folder):
    fit_code(torch.rand(4, 2, 16, 16), 3, 4).save(folder / "vae")


@pytest.mark.parametrize("harm", [cut_short, of_another_network, lacking_a_tensor, of_another_code])
def test_damaged_weights_are_told(tmp_path, harm):
    tiny().save(tmp_path)
    harm(tmp_path)
    with pytest.raises(UserError, match="damaged or not its own"):
        load_vae(tmp_path)


def test_a_folder_without_a_vae_is_told(tmp_path, tiny_diffusion):
    with pytest.raises(UserError, match=r"stem\.json: no such file.*run train-vae first"):
        load_vae(tmp_path)
    with pytest.raises(UserError, match="holds no VAE"):
        load_vae(tiny_diffusion)
