"""A VAE as feature extractor: the activations of its encoder and decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from fewstain.diffusion.latent.vae import Vae


class VaeFeatures:
    """Activations of every residual block of a VAE's encoder and decoder, and its latents.

    An image is decoded from the mean of its posterior, so that the features of an image are always the same.

    Parameters
    ----------
    vae
        Trained.
    """

    def __init__(self, vae: Vae) -> None:
        self.vae = vae.eval()
        self.multiple = vae.factor
        self.names = (*block_modules(vae), "latents")

    @torch.inference_mode()
    def maps(self, images: Tensor, origin: tuple[int, int] = (0, 0), draw: int = 0) -> list[Tensor]:
        """See `FeatureExtractor.maps`; `origin` and `draw` change nothing."""
        found: dict[str, Tensor] = {}
        hooks = [
            module.register_forward_hook(lambda _, _inputs, output, name=name: found.update({name: output}))
            for name, module in block_modules(self.vae).items()
        ]
        try:
            found["latents"] = self.vae.posterior(images.to(self.vae.device)).mode()
            self.vae.image_of(found["latents"])
        finally:
            for hook in hooks:
                hook.remove()
        return [found[name].float() for name in self.names]


def block_modules(vae: Vae) -> dict[str, nn.Module]:
    """Name the residual blocks in the order they are passed: "down0.0" and on, then "up0.0" and on."""
    named: dict[str, nn.Module] = {}
    for kind, blocks in (("down", vae.network.encoder.down_blocks), ("up", vae.network.decoder.up_blocks)):
        for level, block in enumerate(blocks):
            named |= {f"{kind}{level}.{index}": resnet for index, resnet in enumerate(block.resnets)}
    return named
