import torch

from fewstain.baselines.vae import VaeFeatures
from fewstain.diffusion.latent.code import fit_code
from fewstain.diffusion.latent.vae import build_vae
from fewstain.settings import VaeSettings


def test_every_block_of_encoder_and_decoder_and_the_latents():
    torch.manual_seed(0)
    settings = VaeSettings(unshuffle=2, channels=(8, 16))
    code = fit_code(torch.rand(16, 1, 16, 16) * 2 - 1, settings.latent_channels, settings.factor)
    vae = build_vae(settings, code)
    features = VaeFeatures(vae)
    images = torch.rand(2, 1, 16, 24)
    maps = dict(zip(features.names, features.maps(images), strict=True))
    assert features.multiple == 4
    assert list(maps) == ["down0.0", "down1.0", "up0.0", "up0.1", "up1.0", "up1.1", "latents"]
    assert maps["down0.0"].shape == (2, 8, 8, 12)
    assert maps["up0.0"].shape == (2, 16, 4, 6)
    torch.testing.assert_close(maps["latents"], vae.encode(images))
    again = features.maps(images, origin=(8, 8), draw=3)
    assert all(torch.equal(first, second) for first, second in zip(maps.values(), again, strict=True))
