"""Feature maps of images: the denoiser's activations, each at its own resolution."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor, nn

from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.noise import pixel_noise


class FeatureExtractor(Protocol):
    """What any method offers that turns images into features: diffusion, MAE, GAN encoders, classical filters."""

    multiple: int

    def maps(self, images: Tensor, origin: tuple[int, int] = (0, 0), draw: int = 0) -> list[Tensor]:
        """Compute feature maps, never upsampled.

        Parameters
        ----------
        images
            (B, C, H, W) float in [-1, 1]; H and W multiples of `multiple`.
        origin
            Row and column of the top-left pixel in the whole image, so that tiles see the noise of the whole.
        draw
            Which draw of the noise, for extractors that add some.

        Returns
        -------
        list of Tensor
            (B, F_i, H_i, W_i) for each map.
        """
        ...


class DiffusionFeatures:
    """Activations of a denoiser's decoder at several timesteps (Baranchuk et al., ICLR 2022).

    Parameters
    ----------
    denoiser
        Trained network, in evaluation mode.
    timesteps
        Noise levels; the network runs once for each.
    blocks
        Names out of `block_names(denoiser)`; all when None.
    noise_draws
        Activations are averaged over this many draws of noise.
    seed
        Of the noise, which is a function of (seed, timestep, draw, absolute pixel).
    autocast
        Run in bfloat16; the maps are returned in float32 all the same.
    """

    def __init__(
        self,
        denoiser: Denoiser,
        timesteps: Sequence[int],
        blocks: Sequence[str] | None = None,
        *,
        noise_draws: int = 1,
        seed: int = 0,
        autocast: bool = False,
    ) -> None:
        self.denoiser = denoiser.eval()
        self.timesteps = tuple(timesteps)
        self.blocks = tuple(block_names(denoiser) if blocks is None else blocks)
        self.noise_draws = noise_draws
        self.seed = seed
        self.autocast = autocast
        self.multiple = denoiser.multiple

    @torch.inference_mode()
    def maps(self, images: Tensor, origin: tuple[int, int] = (0, 0), draw: int = 0) -> list[Tensor]:
        """Feature maps in the order timestep by timestep, block by block; see `FeatureExtractor.maps`."""
        images = images.to(self.denoiser.device)
        return [found for timestep in self.timesteps for found in self._at(images, timestep, origin, draw)]

    def _at(self, images: Tensor, timestep: int, origin: tuple[int, int], draw: int) -> list[Tensor]:
        total: list[Tensor] = []
        for index in range(self.noise_draws):
            key = (timestep, draw * self.noise_draws + index)
            channels, height, width = images.shape[1:]
            noise = pixel_noise((channels, height, width), origin, self.seed, key).to(images).expand_as(images)
            steps = torch.full((len(images),), timestep, device=images.device)
            noisy = self.denoiser.scheduler.add_noise(images, noise, steps)
            found = self._activations(noisy, steps)
            total = [a + b for a, b in zip(total, found, strict=True)] if total else found
        return [each / self.noise_draws for each in total] if self.noise_draws > 1 else total

    def _activations(self, noisy: Tensor, steps: Tensor) -> list[Tensor]:
        found: dict[str, Tensor] = {}
        modules = block_modules(self.denoiser)
        hooks = [
            modules[name].register_forward_hook(lambda _, _inputs, output, name=name: found.update({name: output}))
            for name in self.blocks
        ]
        try:
            with torch.autocast(noisy.device.type, torch.bfloat16, enabled=self.autocast):
                self.denoiser(noisy, steps)
        finally:
            for hook in hooks:
                hook.remove()
        return [found[name].float() for name in self.blocks]


def block_modules(denoiser: Denoiser) -> dict[str, nn.Module]:
    """Name the middle block and every residual block of the decoder, coarse to fine: "mid", "up0.0", "up0.1", ..."""
    named: dict[str, nn.Module] = {"mid": denoiser.unet.mid_block}
    for level, block in enumerate(denoiser.unet.up_blocks):
        named |= {f"up{level}.{index}": resnet for index, resnet in enumerate(block.resnets)}
    return named


def block_names(denoiser: Denoiser) -> tuple[str, ...]:
    """Names of the blocks whose activations can be features, coarse to fine."""
    return tuple(block_modules(denoiser))
