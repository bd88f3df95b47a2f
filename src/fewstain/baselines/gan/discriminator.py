"""The residual discriminator of StyleGAN2, and an encoder of the same kind that finds an image's latents."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from fewstain.baselines.gan.generator import FIRST_SIDE, GAIN, SLOPE, ScaledConv, ScaledLinear

GROUP = 4  # images whose spread tells the discriminator of missing variety


class DownBlock(nn.Module):
    """Two convolutions and a shortcut, to half the side."""

    def __init__(self, fan_in: int, fan_out: int) -> None:
        super().__init__()
        self.first, self.second = ScaledConv(fan_in, fan_in, 3), ScaledConv(fan_in, fan_out, 3)
        self.shortcut = ScaledConv(fan_in, fan_out, 1, bias=False)

    def forward(self, maps: Tensor) -> Tensor:
        """(B, fan_in, H, W) -> (B, fan_out, H / 2, W / 2)."""
        inner = functional.leaky_relu(self.first(maps), SLOPE) * GAIN
        inner = functional.leaky_relu(self.second(inner), SLOPE) * GAIN
        return (functional.avg_pool2d(inner, 2) + self.shortcut(functional.avg_pool2d(maps, 2))) / math.sqrt(2)


class Trunk(nn.Module):
    """Images -> activations of each resolution, fine to coarse; `widths` are coarse to fine, as the generator's."""

    def __init__(self, widths: Sequence[int], image_channels: int) -> None:
        super().__init__()
        down = tuple(reversed(widths))
        self.start = ScaledConv(image_channels, down[0], 1)
        self.blocks = nn.ModuleList(DownBlock(fan_in, fan_out) for fan_in, fan_out in pairwise(down))

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, C, side, side) -> (B, F_i, side / 2^i, …)."""
        found = [functional.leaky_relu(self.start(images), SLOPE) * GAIN]
        for block in self.blocks:
            found.append(block(found[-1]))
        return found


class Discriminator(nn.Module):
    """Images -> one score each, high for real ones."""

    def __init__(self, widths: Sequence[int], image_channels: int) -> None:
        super().__init__()
        self.trunk = Trunk(widths, image_channels)
        self.last = ScaledConv(widths[0] + 1, widths[0], 3)
        self.hidden = ScaledLinear(widths[0] * FIRST_SIDE**2, widths[0])
        self.score = ScaledLinear(widths[0], 1)

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, side, side) -> (B,)."""
        maps = self.trunk(images)[-1]
        maps = torch.cat([maps, _spread(maps)], dim=1)
        maps = functional.leaky_relu(self.last(maps), SLOPE) * GAIN
        return self.score(functional.leaky_relu(self.hidden(maps.flatten(1)), SLOPE) * GAIN)[:, 0]


class Encoder(nn.Module):
    """Images -> latents w of every layer, from which optimisation starts (as pSp: Richardson et al., CVPR 2021)."""

    def __init__(self, widths: Sequence[int], width: int, layers: int, image_channels: int) -> None:
        super().__init__()
        self.trunk = Trunk(widths, image_channels)
        self.head = ScaledLinear(widths[0] * FIRST_SIDE**2, layers * width)
        self.layers, self.width = layers, width

    def forward(self, images: Tensor) -> Tensor:
        """(B, C, side, side) -> (B, layers, width)."""
        return self.head(self.trunk(images)[-1].flatten(1)).unflatten(1, (self.layers, self.width))


def _spread(maps: Tensor) -> Tensor:
    """(B, 1, H, W) mean standard deviation within groups of images (Karras et al., ICLR 2018, section 3)."""
    size = GROUP if len(maps) % GROUP == 0 else len(maps)
    grouped = maps.unflatten(0, (size, -1))
    deviation = (grouped.var(0, unbiased=False) + 1e-8).sqrt().mean((1, 2, 3))
    return deviation.repeat(size)[:, None, None, None].expand(-1, 1, *maps.shape[2:])
