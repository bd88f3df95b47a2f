"""Vendors' formats (Zeiss CZI, Nikon ND2, Leica LIF) through bioio, an optional extra."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fewstain.errors import UserError, install_extra
from fewstain.images.plane import Header, Plane, plane_axes

EXTENSIONS = (".czi", ".nd2", ".lif")


def header(path: Path) -> Header:
    """Read the header of the file's first scene; see `images.read.read_header`."""
    return _layout(path, _open(path))[0]


def read(path: Path, indices: bool = False) -> Plane:
    """Read the file's first scene."""
    image = _open(path)
    head, order = _layout(path, image)
    pixels = np.asarray(image.get_image_data(order))
    return Plane(pixels if pixels.ndim == 3 else pixels[..., None], head)


def _open(path: Path) -> Any:
    try:
        from bioio import BioImage
    except ImportError:
        raise UserError(
            f"{path}: {path.suffix} files need optional readers; export the image as OME-TIFF, or install them with: "
            + install_extra("bio")
        ) from None
    return BioImage(path)


def _layout(path: Path, image: Any) -> tuple[Header, str]:
    """Header, and the order of axes to ask bioio for: "YX", "YXC" or "YXS"."""
    sizes = {axis: int(getattr(image.dims, axis)) for axis in image.dims.order}
    axes, shape = plane_axes(path, "".join(sizes), tuple(sizes.values()))
    channel = next((axis for axis in axes if axis not in "YX"), "")
    channels = shape[axes.index(channel)] if channel else 1
    head = Header(sizes["Y"], sizes["X"], channels, np.dtype(image.dtype), rgb=channel == "S" and channels == 3)
    pixel = image.physical_pixel_sizes
    head = head.sized(float(pixel.Y) if pixel.Y else None, float(pixel.X) if pixel.X else None)
    if len(image.scenes) > 1:
        head = head.noted(f"the first of {len(image.scenes)} scenes in the file is used")
    return head, "YX" + channel
