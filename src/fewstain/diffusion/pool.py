"""The pool of unlabeled images, normalised once into one file, and random crops of it."""

from __future__ import annotations

import contextlib
import mmap
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser, fit_normaliser
from fewstain.images.read import read_image
from fewstain.storage import atomic_path, read_json, sha256_file, write_json

STRIP = 512  # rows normalised at a time
PIXELS_FILE, INDEX_FILE = "pool.f16", "pool.json"


@dataclass(frozen=True)
class PoolImage:
    """One image of the pool: its file's name and SHA-256, its size, and where its first value lies in the pool file."""

    name: str
    sha256: str
    height: int
    width: int
    offset: int


@dataclass(frozen=True)
class PoolIndex:
    """What the pool file holds: float16 values in [-1, 1], each image (H, W, C), one after the other."""

    images: tuple[PoolImage, ...]
    channels: tuple[int, ...]
    dtype: str
    normaliser: Normaliser
    file_channels: int | None = None  # of the image files, chosen or not

    @property
    def size(self) -> int:
        """Number of values in the pool file."""
        last = self.images[-1]
        return last.offset + last.height * last.width * len(self.channels)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self) | {"normaliser": self.normaliser.as_dict()}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> PoolIndex:
        """Read what `as_dict` gave."""
        images = tuple(PoolImage(**image) for image in values["images"])
        normaliser = Normaliser.from_dict(values["normaliser"])
        return cls(images, tuple(values["channels"]), values["dtype"], normaliser, values.get("file_channels"))


def read_index(folder: Path) -> PoolIndex | None:
    """Read the index of the pool in `folder`, or None if none was finished there."""
    path = folder / INDEX_FILE
    if not path.is_file():
        return None
    try:
        return PoolIndex.from_dict(read_json(path))
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise UserError(f"{path}: damaged ({fault!r}); delete the folder {folder} and train anew") from fault


def open_pool_index(
    folder: Path,
    images: tuple[Path, ...],
    files: tuple[tuple[str, str], ...],
    channels: tuple[int, ...] | None,
    *,
    pixels_needed: bool,
) -> PoolIndex:
    """Find the pool of these images in `folder`, or build it.

    Parameters
    ----------
    files
        (name, SHA-256) of each image.
    pixels_needed
        Whether the pixels are needed too, or the index alone will do.
    """
    index = find_pool(folder, files, pixels_needed=pixels_needed)
    return index if index and channels in (None, index.channels) else build_pool(folder, images, channels)


def find_pool(folder: Path, files: tuple[tuple[str, str], ...], *, pixels_needed: bool) -> PoolIndex | None:
    """Find the pool of these files, (name, SHA-256) of each, in `folder`; None if it is not there, or not whole."""
    index = read_index(folder)
    if index is None or tuple((image.name, image.sha256) for image in index.images) != files:
        return None
    path = folder / PIXELS_FILE
    whole = not pixels_needed or (path.is_file() and path.stat().st_size == 2 * index.size)
    return index if whole else None


def remove_pixels(folder: Path) -> None:
    """Delete the pool's pixels, which can be built again; its index stays."""
    (folder / PIXELS_FILE).unlink(missing_ok=True)


def build_pool(folder: Path, images: tuple[Path, ...], channels: tuple[int, ...] | None) -> PoolIndex:
    """Normalise images into `folder`, holding one at a time.

    Parameters
    ----------
    folder
        Takes pool.f16 and pool.json; the index is written last, so that it vouches for the pixels.
    images
        Files with the same number of channels.
    channels
        Which to keep, counted from 0; None for all.

    Raises
    ------
    UserError
        Unreadable image, a channel that is not there, images of different kinds, a full disk.
    """
    if not images:
        raise UserError(f"{folder}: no images to train on; put some into the dataset's images folder")
    first = read_image(images[0]).pixels
    chosen = tuple(range(first.shape[-1])) if channels is None else channels
    normaliser = fit_normaliser(_chosen_pixels(path, chosen, first.shape[-1]) for path in images)
    pixels = ((path.name, sha256_file(path), _chosen_pixels(path, chosen, first.shape[-1])) for path in images)
    stored = ((name, sha256, _strips(each, normaliser)) for name, sha256, each in pixels)
    index = PoolIndex(write_pixels(folder, stored), chosen, str(first.dtype), normaliser, first.shape[-1])
    write_json(folder / INDEX_FILE, index.as_dict())
    return index


def _strips(pixels: np.ndarray, normaliser: Normaliser) -> Iterator[np.ndarray]:
    """Normalise an image (H, W, C), (C, rows, W) at a time."""
    limits = normaliser.range(pixels)
    for top in range(0, len(pixels), STRIP):
        yield normaliser.apply(pixels[top : top + STRIP], limits)


def write_pixels(folder: Path, images: Iterable[tuple[str, str, Iterable[np.ndarray]]]) -> tuple[PoolImage, ...]:
    """Write `folder`/pool.f16.

    Parameters
    ----------
    images
        Of each its name, its SHA-256, and its planes, (C, rows, W) at a time, from the top; C is the same for all.
    """
    written, offset = [], 0
    with atomic_path(folder / PIXELS_FILE) as temporary, temporary.open("wb") as file:
        for name, sha256, strips in images:
            height = values = 0
            for strip in strips:
                file.write(np.ascontiguousarray(np.moveaxis(strip, 0, -1), dtype=np.float16).tobytes())
                rows, width = strip.shape[1:]
                height, values = height + rows, values + strip.size
            written.append(PoolImage(name, sha256, height, width, offset))
            offset += values
    return tuple(written)


def _chosen_pixels(path: Path, channels: tuple[int, ...], expected: int) -> np.ndarray:
    """(H, W, len(channels)) raw pixels of one image."""
    pixels = read_image(path).pixels
    if pixels.shape[-1] != expected:
        raise UserError(
            f"{path}: {pixels.shape[-1]} channels, but the pool's first image has {expected}; "
            "keep one kind of image in a dataset"
        )
    if max(channels) >= expected:
        raise UserError(
            f"{path}: has {expected} channels, so channel {max(channels)} is not there; "
            "they count from 0: change `channels`"
        )
    return pixels[..., list(channels)]


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
