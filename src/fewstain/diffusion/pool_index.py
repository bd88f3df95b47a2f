"""The pool of unlabeled images, normalised once into one file, and the index of what lies where in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser, fit_normaliser
from fewstain.images.read import are_rgb, read_image
from fewstain.storage import atomic_path, misfit, read_json, sha256_file, write_json

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
        raise UserError(f"{path}: damaged ({misfit(fault)}); delete the folder {folder} and train anew") from fault


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
    raw = (_chosen_pixels(path, chosen, first.shape[-1]) for path in images)
    normaliser = fit_normaliser(raw, rgb=are_rgb(images))
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
