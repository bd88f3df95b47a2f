"""Random crops of the pool of unlabeled images."""

from __future__ import annotations

import contextlib
import mmap
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from fewstain.diffusion.pool_index import PIXELS_FILE, PoolIndex


class CropSource(Protocol):
    """Whatever random crops can be drawn from, as from a `Pool`."""

    def crops(self, n: int, size: int, random: np.random.Generator) -> Tensor:
        """Draw (n, C, ...) crops of images of a side of `size` pixels; `random` is the only source of chance."""


class Pool:
    """Random crops of the pool file, mapped into memory or, on a GPU with room for it, resident there.

    Parameters
    ----------
    folder
        Where `build_pool` wrote.
    index
        What it returned.
    device
        Where crops are wanted.
    """

    def __init__(self, folder: Path, index: PoolIndex, device: torch.device) -> None:
        with (folder / PIXELS_FILE).open("rb") as file:
            self._map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)  # torch wants writable memory
        values = torch.frombuffer(self._map, dtype=torch.float16)
        if device.type == "cuda" and values.nbytes < torch.cuda.mem_get_info(device)[0] / 2:
            values = values.to(device)
        self._values = values
        self._device = device
        self._channels = len(index.channels)
        self._offset = np.array([image.offset for image in index.images])
        self._height = np.array([image.height for image in index.images])
        self._width = np.array([image.width for image in index.images])
        root = np.sqrt(self._height * self._width)
        self._chance = root / root.sum()  # by the square root of the area: one huge image does not drown the small ones

    def crops(self, n: int, size: int, random: np.random.Generator) -> Tensor:
        """Draw crops, each flipped and turned at random (one of the 8 symmetries of the square).

        Parameters
        ----------
        n, size
            Number and side of the crops. Where an image is smaller, it is continued by reflection.
        random
            The only source of chance.

        Returns
        -------
        Tensor
            (n, C, size, size) float32 in [-1, 1] on the pool's device.
        """
        image = random.choice(len(self._offset), n, p=self._chance)
        rows = _positions(self._height[image], size, random)
        columns = _positions(self._width[image], size, random)
        return self._gather(image, rows, columns, random)

    def holds_sets(self, size: int) -> bool:
        """Whether any image has room for two windows of this side, as `sets` needs."""
        return bool(((self._height // size) * (self._width // size) > 1).any())

    def sets(self, n: int, others: int, size: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw crops, and for each some more of the same image, in windows that share no pixel with it.

        Parameters
        ----------
        n, size
            As of `crops`; images without room for two windows are left out, see `holds_sets`.
        others
            Crops to go with each one, themselves disjoint; where an image has no room for so many, some come twice.
        random
            The only source of chance.

        Returns
        -------
        crops, sets
            (n, C, size, size) and (n, others, C, size, size) float32 in [-1, 1] on the pool's device; each crop is
            flipped and turned by itself.
        """
        able = (self._height // size) * (self._width // size) > 1
        chance = np.where(able, self._chance, 0)
        image = random.choice(len(self._offset), n, p=chance / chance.sum())
        corners = [disjoint_windows(self._height[k], self._width[k], others + 1, size, random) for k in image]
        top, left = np.concatenate(corners).T
        repeated = np.repeat(image, others + 1)
        crops = self._gather(repeated, _window(top, size, random), _window(left, size, random), random)
        grouped = crops.reshape(n, others + 1, *crops.shape[1:])
        return grouped[:, 0], grouped[:, 1:]

    def _gather(self, image: np.ndarray, rows: np.ndarray, columns: np.ndarray, random: np.random.Generator) -> Tensor:
        """(n, C, size, size) crops of images (n,) at rows and columns (n, size), half of them transposed."""
        rows = reflect(rows, self._height[image, None])
        columns = reflect(columns, self._width[image, None])
        down, right = rows * self._width[image, None], columns
        turned = random.random(len(image)) < 0.5
        down, right = np.where(turned[:, None], right, down), np.where(turned[:, None], down, right)
        start = self._offset[image, None] + np.arange(self._channels)
        where = self._values.device
        place = (
            torch.from_numpy(start).to(where)[:, :, None, None]
            + torch.from_numpy(down * self._channels).to(where)[:, None, :, None]
            + torch.from_numpy(right * self._channels).to(where)[:, None, None, :]
        )
        crops = self._values[place].to(self._device, torch.float32)
        self._forget_pages()
        return crops

    def _forget_pages(self) -> None:
        """Give mapped pages back to the system, so that resident memory does not grow with the pool."""
        if hasattr(mmap, "MADV_DONTNEED"):
            with contextlib.suppress(OSError):
                self._map.madvise(mmap.MADV_DONTNEED)


def _positions(length: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """(n, size) row or column numbers of random windows of images `length` (n,) long, half of them mirrored."""
    room = length - size
    start = np.where(room > 0, random.integers(0, np.maximum(room, 0) + 1), room // 2)
    return _window(start, size, random)


def _window(start: np.ndarray, size: int, random: np.random.Generator) -> np.ndarray:
    """(n, size) row or column numbers of windows that begin at `start` (n,), half of them mirrored."""
    position = start[:, None] + np.arange(size)
    mirrored = random.random(len(start)) < 0.5
    return np.where(mirrored[:, None], position[:, ::-1], position)


def disjoint_windows(height: int, width: int, n: int, size: int, random: np.random.Generator) -> np.ndarray:
    """(n, 2) top-left pixels of windows of an image that share no pixel, in random order.

    They are cells of a grid laid over the image at a random place. Where it has fewer than n, all but the first window
    come again as often as needed; it has two at least.
    """
    rows, columns = height // size, width // size
    cells = random.permutation(rows * columns)
    chosen = np.append(cells[0], np.resize(cells[1:], n - 1)).astype(int)
    origin = (random.integers(height - rows * size + 1), random.integers(width - columns * size + 1))
    return np.stack([chosen // columns, chosen % columns], axis=1) * size + np.array(origin)


def reflect(position: np.ndarray, length: np.ndarray) -> np.ndarray:
    """Bring positions outside [0, length) back by reflection about the first and the last pixel, as often as needed."""
    period = np.maximum(2 * (length - 1), 1)
    folded = position % period
    return np.where(length == 1, 0, np.minimum(folded, period - folded))
