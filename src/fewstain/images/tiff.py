"""TIFF files: strips and tiles, BigTIFF, OME and ImageJ axes, any compression imagecodecs reads."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ElementTree
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile

from fewstain.errors import UserError
from fewstain.images.plane import Header, Plane, plane_axes

Sides = tuple[float | None, float | None]

_UM = {"pm": 1e-6, "å": 1e-4, "nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "micron": 1.0, "microns": 1.0,
       "micrometer": 1.0, "\\u00b5m": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0, "in": 25400.0}  # fmt: skip
# Dots per inch, cm or m describe paper (72-1200 dpi, above 20 µm) unless a microscope wrote them.
_PRINT_UNITS = ("inch", "in", "cm", "m")
_PLAUSIBLE_UM = (0.005, 10.0)
# struct formats of the TIFF standard's tag types (and BigTIFF's 16-18), one letter a value
_TAG_FORMATS = {1: "B", 2: "B", 3: "H", 4: "I", 5: "Q", 6: "b", 7: "B", 8: "h", 9: "i", 10: "q", 11: "f", 12: "d",
                13: "I", 16: "Q", 17: "q", 18: "Q"}  # fmt: skip
UNKNOWN = (None, None)
_ALPHA = (tifffile.EXTRASAMPLE.ASSOCALPHA, tifffile.EXTRASAMPLE.UNASSALPHA)


def header(path: Path) -> Header:
    """Read the header of the file's first image; see `images.read.read_header`."""
    with _open(path) as tif:
        return _layout(path, tif, indices=False)[0]


def read(path: Path, indices: bool = False) -> Plane:
    """Read the file's first image; `indices` keeps a palette's indices (labels) instead of its colours."""
    with _open(path) as tif:
        head, axes = _layout(path, tif, indices)
        series = tif.series[0]
        page = series.keyframe
        pixels = series.asarray(squeeze=True, maxworkers=1)
        pixels = pixels.reshape([size for axis, size in zip(series.axes, series.shape, strict=True)
                                 if axis in "YX" or size > 1])  # fmt: skip
        pixels = pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
        channel = next((axis for axis in axes if axis not in "YX"), None)
        if channel is None:
            pixels = pixels[..., None]
            axes += "C"
        pixels = np.moveaxis(pixels, [axes.index("Y"), axes.index("X")], [0, 1])
        if page.photometric == tifffile.PHOTOMETRIC.PALETTE and not indices and not tif.is_imagej:
            pixels = _coloured(pixels[:, :, 0], page.colormap)
        elif _is_negative(page, indices) and pixels.dtype.kind == "u" and not tif.is_imagej:
            pixels = np.iinfo(pixels.dtype).max - pixels
        return Plane(pixels[:, :, : head.channels], head)


def _open(path: Path) -> tifffile.TiffFile:
    # Planes in other files are never followed: one file, one image, nothing read from outside the dataset.
    return tifffile.TiffFile(path, _multifile=False)


def _layout(path: Path, tif: tifffile.TiffFile, indices: bool) -> tuple[Header, str]:
    """Header, and the axes of the first series without those of length one."""
    if not tif.series:
        raise UserError(f"{path}: no image in it; copy or export the file again")
    series = tif.series[0]
    _refuse_missing_data(path, tif)
    page = series.keyframe
    axes, shape = plane_axes(path, series.axes, series.shape)
    channel = next((axis for axis in axes if axis not in "YX"), None)
    channels = 1 if channel is None else shape[axes.index(channel)]
    if series.dtype is None or series.dtype.kind not in "uifb":
        raise UserError(f"{path}: pixels of type {series.dtype}; save integers or float32")
    head = Header(
        shape[axes.index("Y")],
        shape[axes.index("X")],
        channels,
        np.dtype(np.uint8) if series.dtype.kind == "b" and not indices else series.dtype.newbyteorder("="),
    ).sized(*_pixel_sides(tif))
    if len(tif.series) > 1:
        head = head.noted(f"the first of {len(tif.series)} images in the file is used")
    return _colours(path, tif, page, head, channel, indices), axes


def _colours(
    path: Path, tif: tifffile.TiffFile, page: tifffile.TiffPage, head: Header, channel: str | None, indices: bool
) -> Header:
    """Account for alpha, palettes and other colour models in the header."""
    photometric = page.photometric
    if photometric == tifffile.PHOTOMETRIC.SEPARATED:
        raise UserError(f"{path}: CMYK colours, made for printing; save it as RGB")
    if _is_negative(page, indices) and head.dtype.kind == "u" and page.bitspersample > 1:
        # ImageJ inverts the look-up table of such a file, never its intensities.
        head = head.noted(
            "inverted LUT ignored: intensities are used" if tif.is_imagej else "stored with 0 as white; inverted"
        )
    if photometric == tifffile.PHOTOMETRIC.PALETTE and not indices:
        if tif.is_imagej:
            return head.noted("colour table (LUT) ignored: intensities are used")
        colours = np.asarray(page.colormap)
        grey = bool((colours == colours[:1]).all())
        return replace(head, channels=1 if grey else 3, dtype=np.dtype(np.uint8), rgb=not grey)
    if channel == "S":
        rgb = photometric in (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
        alpha = head.channels in (2, 4) and (any(extra in _ALPHA for extra in page.extrasamples)
                                             or (rgb and head.channels == 4))  # fmt: skip
        if alpha:
            head = replace(head, channels=head.channels - 1).noted("alpha channel dropped")
        return replace(head, rgb=rgb and head.channels == 3)
    return head


def _is_negative(page: tifffile.TiffPage, indices: bool) -> bool:
    """Whether 0 is shown as white; labels are values, and not shown."""
    return page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and not indices


def _coloured(values: np.ndarray, colormap: np.ndarray | None) -> np.ndarray:
    """(H, W) palette indices -> (H, W, 3) uint8; the caller keeps one channel of a grey palette."""
    return np.moveaxis((np.asarray(colormap) >> 8).astype(np.uint8)[:, values], 0, -1)


def _refuse_missing_data(path: Path, tif: tifffile.TiffFile) -> None:
    """Raise where tifffile would fill pixels that it cannot find with zeros, or forget pages and tags."""
    size = tif.filehandle.size
    series = tif.series[0]
    ends = [_directory_end(tif)]
    if series.dataoffset is not None:
        ends.append(series.dataoffset + series.nbytes)
    for page in series.pages:
        if page is None:
            raise UserError(f"{path}: refers to planes in other files; save it as one file")
        if not page.dataoffsets:
            raise UserError(f"{path}: truncated, no pixels in it; copy the file again")
        ends += [offset + count for offset, count in zip(page.dataoffsets, page.databytecounts, strict=False)]
    if max(ends) > size:
        raise UserError(f"{path}: truncated, at least {max(ends) - size} bytes are missing; copy the file again")


def _directory_end(tif: tifffile.TiffFile) -> int:
    """Where the values of the first page's tags end, or the page that the last one points to but that is not there.

    tifffile only logs both, and goes on without the tag or the pages.
    """
    layout, file = tif.tiff, tif.filehandle
    end = 0
    for page in (tif.pages.first, tif.pages[-1]):
        file.seek(page.offset)
        (count,) = struct.unpack(layout.tagnoformat, file.read(layout.tagnosize))
        entries = file.read(count * layout.tagsize)
        for start in range(0, len(entries), layout.tagsize):
            entry = entries[start : start + layout.tagsize]
            kind = struct.unpack(layout.tagformat1, entry[:4])[1]
            number = struct.unpack(layout.tagformat2, entry[4:])[0]
            length = number * struct.calcsize(_TAG_FORMATS.get(kind, "B"))
            if length > layout.offsetsize:
                end = max(end, length + struct.unpack(layout.offsetformat, entry[-layout.offsetsize :])[0])
    pointer = file.read(layout.offsetsize)
    following = struct.unpack(layout.offsetformat, pointer)[0] if len(pointer) == layout.offsetsize else 0
    return max(end, following + 1 if following else 0, file.size + 1 if following else 0)


def _pixel_sides(tif: tifffile.TiffFile) -> Sides:
    """Height and width of a pixel in µm from OME, ImageJ or plain tags; those of print must be plausible."""
    if tif.is_ome and tif.ome_metadata:
        return _ome_pixel_sides(tif.ome_metadata)
    across, down = (_per_unit(tif, f"{axis}Resolution") for axis in "XY")
    if across is None:
        return UNKNOWN
    if tif.is_imagej:
        told = tif.imagej_metadata or {}
        units = [str(told.get(key) or told.get("unit") or "").strip().lower() for key in ("yunit", "unit")]
    else:
        tag = tif.pages.first.tags.get("ResolutionUnit")
        units = [{2: "inch", 3: "cm"}.get(int(tag.value) if tag else 1, "")] * 2
    height, width = (_UM.get(unit) for unit in units)
    if width and units[1] in _PRINT_UNITS and not _PLAUSIBLE_UM[0] <= width / across <= _PLAUSIBLE_UM[1]:
        return UNKNOWN
    return height / down if height and down else None, width / across if width else None


def _per_unit(tif: tifffile.TiffFile, name: str) -> float | None:
    """Pixels a unit of length that a resolution tag tells; None where it is absent or 0."""
    tag = tif.pages.first.tags.get(name)
    return tag.value[0] / tag.value[1] if tag is not None and all(tag.value) else None


def _ome_pixel_sides(xml: str) -> Sides:
    try:
        root = ElementTree.fromstring(xml)
    except ElementTree.ParseError:
        return UNKNOWN
    pixels = next((node for node in root.iter() if node.tag.rsplit("}", 1)[-1] == "Pixels"), None)
    if pixels is None:
        return UNKNOWN
    return _ome_length(pixels.attrib, "PhysicalSizeY"), _ome_length(pixels.attrib, "PhysicalSizeX")


def _ome_length(attributes: Mapping[str, str], name: str) -> float | None:
    scale = _UM.get(attributes.get(f"{name}Unit", "µm").strip().lower())
    try:
        size = float(attributes.get(name, "nan"))
    except ValueError:
        return None
    return size * scale if scale and 0 < size < float("inf") else None
