"""Many small images in one picture, to look at."""

from __future__ import annotations

from pathlib import Path

import imageio.v3 as imageio
import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fewstain.storage import atomic_path


def mosaic(images: Tensor, columns: int | None = None) -> NDArray[np.uint8]:
    """Put images side by side, row by row.

    Parameters
    ----------
    images
        (n, C, H, W) in [-1, 1], n at least 1; of 3 channels or more the first three become RGB, of fewer the first
        becomes grey.
    columns
        Images in a row; by default as many as make the whole about square.

    Returns
    -------
    ndarray
        (rows * H, columns * W, 3) uint8, or (rows * H, columns * W); what the last row lacks is black.
    """
    pixels = ((images.float().clamp(-1, 1).numpy() + 1) * 127.5).round().astype(np.uint8)
    pixels = np.moveaxis(pixels[:, :3] if pixels.shape[1] >= 3 else pixels[:, :1], 1, -1)
    n, height, width, channels = pixels.shape
    columns = columns or int(np.ceil(np.sqrt(n)))
    rows = -(-n // columns)
    grid = np.zeros((rows * columns, height, width, channels), np.uint8)
    grid[:n] = pixels
    grid = grid.reshape(rows, columns, height, width, channels).swapaxes(1, 2)
    grid = grid.reshape(rows * height, columns * width, channels)
    return grid if channels == 3 else grid[..., 0]


def write_mosaic(path: Path, images: Tensor, columns: int | None = None) -> None:
    """Write what `mosaic` makes as a PNG file."""
    with atomic_path(path) as temporary:
        imageio.imwrite(temporary, mosaic(images, columns))
