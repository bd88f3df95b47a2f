"""A StyleGAN2-style generator: mapping network, modulated convolutions, noise, skips to the image.

Karras et al., CVPR 2020. Weights are drawn from N(0, 1) and scaled at run time (equalised learning rate).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.2  # of the leaky ReLU
GAIN = math.sqrt(2)  # keeps the variance after it
FIRST_SIDE = 4  # of the constant that every image grows from
MAPPING_LAYERS = 4
MAPPING_RATE = 0.01  # of the learning rate of all else


class ScaledLinear(nn.Module):
    """A linear layer of equalised learning rate."""

    def __init__(self, fan_in: int, fan_out: int, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in) / rate)
        self.bias = nn.Parameter(torch.full((fan_out,), bias / rate))
        self.scale, self.rate = rate / math.sqrt(fan_in), rate

    def forward(self, values: Tensor) -> Tensor:
        """(B, fan_in) -> (B, fan_out)."""
        return functional.linear(values, self.weight * self.scale, self.bias * self.rate)


class ScaledConv(nn.Module):
    """A convolution of equalised learning rate, of odd kernel, that keeps the size."""

    def __init__(self, fan_in: int, fan_out: int, kernel: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(fan_out)) if bias else None
        self.scale = 1 / math.sqrt(fan_in * kernel**2)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, fan_in, H, W) -> (B, fan_out, H, W)."""
        return functional.conv2d(maps, self.weight * self.scale, self.bias, padding="same")


class ModulatedConv(nn.Module):
    """A convolution whose inputs a style scales, and whose outputs are brought back to unit variance (eq. 1-3)."""

    def __init__(self, fan_in: int, fan_out: int, kernel: int, width: int, demodulate: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(fan_out, fan_in, kernel, kernel))
        self.style = ScaledLinear(width, fan_in, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(fan_out))
        self.scale, self.demodulate = 1 / math.sqrt(fan_in * kernel**2), demodulate

    def forward(self, maps: Tensor, latent: Tensor) -> Tensor:
        """Convolve (B, fan_in, H, W) maps by latents (B, width).

        Scaling the maps before, and after, the convolution is the same as scaling its weights for each image.
        """
        style = self.style(latent)
        weight = self.weight * self.scale
        output = functional.conv2d(maps * style[:, :, None, None], weight, padding="same")
        if self.demodulate:
            power = torch.einsum("oi,bi->bo", weight.square().sum((2, 3)), style.square())
            output = output * (power + 1e-8).rsqrt()[:, :, None, None]
        return output + self.bias[:, None, None]


class StyledConv(nn.Module):
    """Modulated convolution, noise, leaky ReLU."""

    def __init__(self, fan_in: int, fan_out: int, width: int) -> None:
        super().__init__()
        self.conv = ModulatedConv(fan_in, fan_out, 3, width)
        self.noise_strength = nn.Parameter(torch.zeros(()))

    def forward(self, maps: Tensor, latent: Tensor, noise: torch.Generator | Tensor | None) -> Tensor:
        """Noise is drawn from the generator, or is that of the (B, 1, H, W) tensor; None for none."""
        output = self.conv(maps, latent)
        if isinstance(noise, torch.Generator):
            noise = torch.randn((len(output), 1, *output.shape[2:]), generator=noise)
        if noise is not None:
            output = output + self.noise_strength * noise.to(output)
        return functional.leaky_relu(output, SLOPE) * GAIN


class Generator(nn.Module):
    """Latents -> images, and the activations on the way.

    Parameters
    ----------
    widths
        Channels at sides of 4, 8, 16, … pixels.
    width
        Of latents z and w.
    image_channels
        Of the images, in [-1, 1].
    """

    def __init__(self, widths: Sequence[int], width: int, image_channels: int) -> None:
        super().__init__()
        self.width, self.side = width, FIRST_SIDE * 2 ** (len(widths) - 1)
        self.mapping = nn.ModuleList(ScaledLinear(width, width, rate=MAPPING_RATE) for _ in range(MAPPING_LAYERS))
        self.constant = nn.Parameter(torch.randn(1, widths[0], FIRST_SIDE, FIRST_SIDE))
        fan_ins = (widths[0], *widths[:-1])
        self.first = nn.ModuleList(
            StyledConv(fan_in, fan_out, width) for fan_in, fan_out in zip(fan_ins, widths, strict=True)
        )
        self.second = nn.ModuleList(StyledConv(fan_out, fan_out, width) for fan_out in widths)
        self.to_image = nn.ModuleList(
            ModulatedConv(fan_out, image_channels, 1, width, demodulate=False) for fan_out in widths
        )

    @property
    def layers(self) -> int:
        """Number of latents w an image has, two for each resolution."""
        return 2 * len(self.first)

    def latents(self, z: Tensor) -> Tensor:
        """Map (B, width) normal z to w."""
        values = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.mapping:
            values = functional.leaky_relu(layer(values), SLOPE) * GAIN
        return values

    def noise_of(self, seeds: Sequence[int]) -> list[Tensor]:
        """Draw the noise of images, one (B, 1, H, W) a layer: of each image a function of its own seed alone."""
        drawn = [torch.Generator().manual_seed(seed) for seed in seeds]
        sides = [FIRST_SIDE * 2 ** (layer // 2) for layer in range(self.layers)]
        return [torch.stack([torch.randn((1, side, side), generator=each) for each in drawn]) for side in sides]

    def forward(
        self, latents: Tensor, noise: torch.Generator | Sequence[Tensor] | None = None
    ) -> tuple[Tensor, list[Tensor]]:
        """Paint images.

        Parameters
        ----------
        latents
            (B, layers, width) w, one for each layer ("W+").
        noise
            What draws it anew, or one tensor a layer as `noise_of` gives them; None for none.

        Returns
        -------
        images, maps
            (B, C, side, side), not clipped; activations after both convolutions of each resolution, coarse to fine.
        """
        given = [noise] * self.layers if noise is None or isinstance(noise, torch.Generator) else noise
        maps = self.constant.expand(len(latents), -1, -1, -1)
        image: Tensor | None = None
        found = []
        for level, (first, second, to_image) in enumerate(zip(self.first, self.second, self.to_image, strict=True)):
            if level:
                maps = _doubled(maps)
            maps = first(maps, latents[:, 2 * level], given[2 * level])
            found.append(maps)
            maps = second(maps, latents[:, 2 * level + 1], given[2 * level + 1])
            found.append(maps)
            part = to_image(maps, latents[:, 2 * level + 1])
            image = part if image is None else _doubled(image) + part
        if image is None:
            raise ValueError("no levels")
        return image, found


def _doubled(maps: Tensor) -> Tensor:
    return functional.interpolate(maps, scale_factor=2, mode="bilinear", align_corners=False)
