"""Noise that images start from and noise drawn on their way, each image's its own whatever it is computed with."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from fewstain.diffusion.samplers import Draw

ON_THE_WAY = 1


def starting_noise(seed: int, numbers: Iterable[int], shape: tuple[int, ...]) -> Tensor:
    """Draw (len(numbers), *shape) float32 standard normal noise on the CPU, each a function of (seed, number)."""
    return torch.stack([torch.randn(shape, generator=_generator(seed, number)) for number in numbers])


def step_noise(seed: int, numbers: Iterable[int], shape: tuple[int, ...], device: torch.device) -> Draw:
    """Give a source of fresh noise, (len(numbers), *shape) float32 on `device` at each call, for samplers with chance.

    It is drawn on the CPU, so that a seed means the same images on every device, and from streams of its own, so that
    noise brought along to start from changes nothing of it.
    """
    generators = [_generator(seed, number, ON_THE_WAY) for number in numbers]

    def draw() -> Tensor:
        return torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)

    return draw


def _generator(*key: int) -> torch.Generator:
    return torch.Generator().manual_seed(int(np.random.SeedSequence(key).generate_state(1)[0]))
