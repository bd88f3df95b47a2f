"""Weights that are a function of a seed, though libraries draw them from torch's global generator."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Within the block, what torch draws on the CPU is a function of the seed; after it, as if nothing was drawn."""
    with torch.random.fork_rng(devices=()):
        torch.manual_seed(seed)
        yield
