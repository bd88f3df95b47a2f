"""Large images as a pyramid of lazily read levels, so that no more is read than is shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import tifffile

from fewstain.errors import UserError
from fewstain.images.plane import plane_axes
from fewstain.images.read import TIFF_EXTENSIONS, extension, read_header

LARGEST = 4096 * 4096 * 3
"""Values up to which an image is read whole: 50 MB of 8 bits."""
SMALLEST = 1024
"""Pixels: a pyramid ends with the first level whose longer side is no longer than this."""


def open_levels(path: Path) -> list[Any] | None:
    """Open a TIFF (tiled, striped or with levels of its own) or an OME-Zarr folder without reading it.

    Parameters
    ----------
    path
        The file.

    Returns
    -------
    list of (H, W, C) dask arrays, finest first; None for what can only be read whole: other formats, and TIFFs whose
    values `read_image` turns into others (0 as white, palettes, single bits). Alpha is dropped, as there. A file
    without levels of its own gets them by leaving out pixels: every second, every fourth and so on.

    Raises
    ------
    UserError
        Axes other than Y, X and channels.
    """
    channels = None
    if path.suffix == ".zarr":
        levels, axes = _zarr(path)
    elif extension(path) in TIFF_EXTENSIONS:
        channels = read_header(path).channels  # faults are told in the same words as everywhere
        if not _has_own_values(path):
            return None
        levels, axes = _tiff(path)
    else:
        return None
    ordered = [_channels_last(path, level, axes)[..., :channels] for level in levels]
    while max(ordered[-1].shape[:2]) > SMALLEST:
        if len(levels) > 1 and len(ordered) == len(levels):
            break  # the file's own levels suffice
        ordered.append(ordered[-1][::2, ::2])
    return ordered


def _has_own_values(path: Path) -> bool:
    """Whether the values in a TIFF are those that `read_image` gives."""
    with tifffile.TiffFile(path, _multifile=False) as tif:
        page = tif.series[0].keyframe
        inverted = page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        coloured = page.photometric == tifffile.PHOTOMETRIC.PALETTE and not tif.is_imagej  # whose table is for show
        return not (inverted or coloured or page.dtype == bool)


def _tiff(path: Path) -> tuple[list[Any], str]:
    import dask.array

    with tifffile.TiffFile(path, _multifile=False) as tif:
        series = tif.series[0]
        axes = series.axes
        if series.keyframe.is_memmappable and len(series.levels) == 1:
            mapped = tifffile.memmap(path, mode="r")
            return [dask.array.from_array(mapped.reshape(series.shape), chunks=_chunks(series.shape, axes))], axes
        stores = [series.aszarr(level=level) for level in range(len(series.levels))]
    return [dask.array.from_zarr(store) for store in stores], axes


def _zarr(path: Path) -> tuple[list[Any], str]:
    """Levels and axes of an OME-Zarr image, versions 0.4 (attributes "multiscales") and 0.5 (below "ome")."""
    import dask.array
    import zarr

    try:
        attributes = dict(zarr.open_group(str(path), mode="r").attrs)
        first = (attributes.get("ome") or attributes)["multiscales"][0]
        axes = "".join(axis["name"] for axis in first["axes"]).upper()
        return [dask.array.from_zarr(str(path / item["path"])) for item in first["datasets"]], axes
    except (KeyError, IndexError, TypeError, FileNotFoundError) as error:
        raise UserError(f"{path}: not an OME-Zarr image ({error!r}); export it again") from error


def _channels_last(path: Path, level: Any, axes: str) -> Any:
    axes, shape = plane_axes(path, axes, level.shape)
    level = level.reshape(shape)
    if len(axes) == 2:
        axes, level = f"C{axes}", level[None]
    channel = next(index for index, axis in enumerate(axes) if axis not in "YX")
    return level.transpose([axes.index("Y"), axes.index("X"), channel])


def _chunks(shape: tuple[int, ...], axes: str) -> tuple[int, ...]:
    return tuple(min(size, SMALLEST) if axis in "YX" else size for axis, size in zip(axes, shape, strict=True))
