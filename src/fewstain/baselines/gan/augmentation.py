"""Adaptive discriminator augmentation: Karras et al., NeurIPS 2020, with what suits images that have no way up."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

TARGET = 0.6  # of the mean sign of the discriminator's scores of real images
IMAGES_TO_FULL = 20_000  # over which the probability may go from 0 to 1; theirs are 500,000, for longer trainings
MOST_SHIFT = 0.125  # of a side
MOST_ZOOM = 0.25  # of the logarithm, base 2: standard deviation
LIGHT, CONTRAST, NOISE = 0.2, 0.5, 0.1  # standard deviations, of contrast in its logarithm, base 2


def augment(images: Tensor, chance: Tensor | float, generator: torch.Generator) -> Tensor:
    """Change each image by each kind of change with a probability; gradients pass.

    Parameters
    ----------
    images
        (B, C, S, S).
    chance
        Of each change, for each image, [0, 1].
    generator
        The only source of chance.

    Returns
    -------
    Tensor
        (B, C, S, S): mirrored, turned, shifted, zoomed; brightness, contrast, noise.
    """
    n, p = len(images), float(chance)

    def drawn(scale: float) -> Tensor:
        return torch.randn(n, generator=generator) * scale * (torch.rand(n, generator=generator) < p)

    def chosen(values: int) -> Tensor:
        return torch.randint(values, (n,), generator=generator) * (torch.rand(n, generator=generator) < p)

    angle = chosen(4) * (math.pi / 2) + drawn(math.pi / 8)
    zoom = torch.exp2(drawn(MOST_ZOOM))
    mirrored = 1.0 - 2.0 * chosen(2)
    cos, sin = torch.cos(angle) * zoom, torch.sin(angle) * zoom
    shift_x, shift_y = drawn(MOST_SHIFT), drawn(MOST_SHIFT)
    rows = [torch.stack([cos * mirrored, -sin, shift_x], 1), torch.stack([sin * mirrored, cos, shift_y], 1)]
    theta = torch.stack(rows, 1).to(images)
    grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    light, contrast, noise = (
        each.to(images)[:, None, None, None] for each in (drawn(LIGHT), torch.exp2(drawn(CONTRAST)), drawn(NOISE))
    )
    grain = torch.randn(images.shape, generator=generator).to(images)
    return moved * contrast + light + noise * grain


def adapted(chance: float, real_scores: Tensor) -> float:
    """Raise the probability where the discriminator knows its real images too well, else lower it (their r_t)."""
    step = len(real_scores) / IMAGES_TO_FULL
    towards = 1.0 if float(real_scores.sign().mean()) > TARGET else -1.0
    return min(1.0, max(0.0, chance + towards * step))
