"""Arrays -> TIFF files, written atomically: label images, float maps, and either of them tile by tile."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import tifffile

from fewstain.images.plane import is_rgb
from fewstain.storage import atomic_path

_LARGEST_UINT16 = 65535
# Bytes of pixels up to which tifffile itself writes uncompressed classic TIFF, whose offsets have 32 bits; what it
# compresses it writes as classic TIFF whatever the size, and fails once 4 GiB are written.
_LARGEST_CLASSIC = 2**32 - 2**25


def label_dtype(largest: int) -> np.dtype:
    """Choose the dtype of a label file whose largest label is `largest`: uint16, or uint32 past 65535."""
    return np.dtype(np.uint16 if largest <= _LARGEST_UINT16 else np.uint32)


def is_bigtiff(shape: tuple[int, ...], dtype: np.dtype | type) -> bool:
    """Whether an image is written as BigTIFF: where it may not fit into 4 GiB, should its pixels not compress."""
    return math.prod(shape) * np.dtype(dtype).itemsize > _LARGEST_CLASSIC


def write_labels(path: Path | str, labels: np.ndarray) -> None:
    """Write a label image: uint16, or uint32 past 65535 objects, zlib-compressed.

    Parameters
    ----------
    path : Path
        The TIFF file; its folder is made.
    labels : (H, W) integer array, 0 = background
    """
    if labels.ndim != 2 or labels.dtype.kind not in "ui" or (labels.size and labels.min() < 0):
        raise ValueError(f"labels must be (H, W), integer and not negative, not {labels.dtype} {labels.shape}")
    _write(path, labels.astype(label_dtype(int(labels.max(initial=0)))))


def write_map(path: Path | str, values: np.ndarray) -> None:
    """Write an (H, W) map as float32, zlib-compressed."""
    if values.ndim != 2:
        raise ValueError(f"a map must be (H, W), not {values.shape}")
    _write(path, values.astype(np.float32))


def write_image(
    path: Path | str,
    pixels: np.ndarray,
    pixel_size_um: float | None = None,
    *,
    ome: bool = False,
    rgb: bool | None = None,
) -> None:
    """Write an (H, W), (H, W, C) image, dtype kept: RGB for three uint8 channels, otherwise OME-TIFF's CYX.

    Parameters
    ----------
    path : Path
        `.tif` for grey and RGB; several channels or a pixel size make it an OME-TIFF, whatever its name.
    pixels : (H, W) or (H, W, C) array
    pixel_size_um : float, optional
        Side of a pixel in µm.
    ome : bool
        Make it an OME-TIFF in any case.
    rgb : bool, optional
        False where three uint8 channels are no colours, so that they are written as channels.
    """
    if pixels.ndim == 3 and pixels.shape[2] == 1:
        pixels = pixels[:, :, 0]
    coloured = pixels.ndim == 3 and is_rgb(pixels.shape[2], pixels.dtype, rgb)
    axes = "YX" if pixels.ndim == 2 else "YXS" if coloured else "CYX"
    if axes == "CYX":
        pixels = np.moveaxis(pixels, -1, 0)
    metadata: dict[str, object] = {"axes": axes}
    if pixel_size_um:
        metadata |= {axis + key: value for axis in ("PhysicalSizeX", "PhysicalSizeY")
                     for key, value in (("", pixel_size_um), ("Unit", "µm"))}  # fmt: skip
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            pixels,
            bigtiff=is_bigtiff(pixels.shape, pixels.dtype),
            ome=ome or bool(pixel_size_um) or axes == "CYX",
            photometric="rgb" if coloured else "minisblack",
            compression="zlib",
            metadata=metadata,
        )


def write_tiles(
    path: Path | str, tiles: Iterable[np.ndarray], shape: tuple[int, int], dtype: np.dtype | type, tile: int = 256
) -> None:
    """Write an image larger than memory, tile by tile.

    Parameters
    ----------
    path : Path
        The TIFF file; its folder is made. BigTIFF where 4 GiB may not suffice, as `is_bigtiff` says.
    tiles : iterable of arrays
        Row by row from the top left, (tile, tile) each, or less at the right and bottom edge.
    shape : (H, W)
    dtype : numpy dtype
        Of the file: uint16, uint32 or float32.
    tile : int
        Side of a tile, a multiple of 16 (the TIFF standard asks for it).

    Raises
    ------
    ValueError
        More or fewer tiles than the image has.
    """
    remaining = iter(tiles)
    expected = -(-shape[0] // tile) * -(-shape[1] // tile)
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            _padded(remaining, tile, np.dtype(dtype), expected),
            shape=shape,
            dtype=dtype,
            bigtiff=is_bigtiff(shape, dtype),
            tile=(tile, tile),
            compression="zlib",
            photometric="minisblack",
            maxworkers=1,
        )
        if next(remaining, None) is not None:
            raise ValueError(f"more than {expected} tiles")


def _padded(tiles: Iterator[np.ndarray], tile: int, dtype: np.dtype, expected: int) -> Iterator[np.ndarray]:
    count = 0
    for values in tiles:
        count += 1
        full = np.zeros((tile, tile), dtype)
        full[: values.shape[0], : values.shape[1]] = values
        yield full
    if count != expected:
        raise ValueError(f"{count} tiles instead of {expected}")


def _write(path: Path | str, plane: np.ndarray) -> None:
    with atomic_path(path) as temporary:
        tifffile.imwrite(
            temporary,
            plane,
            bigtiff=is_bigtiff(plane.shape, plane.dtype),
            compression="zlib",
            photometric="minisblack",
            metadata=None,
        )
