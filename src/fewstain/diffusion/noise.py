"""Gaussian noise as a function of (seed, key, absolute pixel, channel), so that tiles and whole images agree."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

BLOCK = 64


def pixel_noise(
    shape: tuple[int, int, int], origin: tuple[int, int], seed: int, key: int | tuple[int, ...] = ()
) -> Tensor:
    """Draw the standard normal noise of a window of an unbounded image.

    The plane is cut into blocks of 64 x 64 pixels; each block is drawn from its own stream of the counter-based
    generator Philox (Salmon et al., SC 2011), whose counter starts at the block's row and column.

    Parameters
    ----------
    shape
        (C, H, W) of the window. A channel's noise does not depend on C.
    origin
        (y, x) of the window's top-left pixel in the image; may be negative.
    seed
        Not negative.
    key
        Tells independent fields of one seed apart: the timestep, the draw.

    Returns
    -------
    Tensor
        (C, H, W) float32 on the CPU, equal bit for bit wherever two windows overlap.
    """
    channels, height, width = shape
    top, left = origin
    words = (key,) if isinstance(key, int) else tuple(key)
    stream = np.random.SeedSequence((seed, len(words), *words)).generate_state(2, np.uint64)
    first_row, first_column = top // BLOCK, left // BLOCK
    rows, columns = (top + height - 1) // BLOCK - first_row + 1, (left + width - 1) // BLOCK - first_column + 1
    plane = np.empty((channels, rows * BLOCK, columns * BLOCK), np.float32)
    for row in range(rows):
        for column in range(columns):
            block = plane[:, row * BLOCK : (row + 1) * BLOCK, column * BLOCK : (column + 1) * BLOCK]
            block[:] = _block(stream, first_row + row, first_column + column, channels)
    y, x = top - first_row * BLOCK, left - first_column * BLOCK
    return torch.from_numpy(np.ascontiguousarray(plane[:, y : y + height, x : x + width]))


def _block(stream: np.ndarray, row: int, column: int, channels: int) -> np.ndarray:
    """(C, 64, 64) noise of one block; channel after channel, so that C changes no channel before it."""
    counter = np.array([0, 0, row % 2**64, column % 2**64], np.uint64)  # the generator advances the first word
    generator = np.random.Generator(np.random.Philox(key=stream, counter=counter))
    return generator.standard_normal((channels, BLOCK, BLOCK), np.float32)
