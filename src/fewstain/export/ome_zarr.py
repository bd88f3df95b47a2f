"""OME-Zarr 0.5: each image with its labels and smaller copies of both, for viewers.

The hierarchy and its metadata are made by ome-zarr-models, which ome-zarr itself checks by, and the arrays by zarr;
ome-zarr as a whole would bring clients of Amazon's cloud.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import zarr
from ome_zarr_models.v05.axes import Axis
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.labels import LabelsAttrs
from pydantic_zarr.v3 import ArraySpec
from skimage.transform import downscale_local_mean
from zarr.storage import LocalStore

from fewstain.export.samples import Sample
from fewstain.export.training import stored
from fewstain.export.writer import Writer
from fewstain.images.plane import is_rgb

NAME = "objects"  # of the labels beside each image
_CHUNK = 512
_SMALLEST = 256  # pixels; halving stops when no side is longer
# How viewers shall colour three channels of 8 bits: the specification's "omero" block
_RGB_DISPLAY = {
    "channels": [
        {"label": label, "color": color, "active": True, "window": {"start": 0, "end": 255, "min": 0, "max": 255}}
        for label, color in (("red", "FF0000"), ("green", "00FF00"), ("blue", "0000FF"))
    ]
}


class OmeZarr(Writer):
    """<image>.ome.zarr with the image (CYX, or YX if grey) and, in labels/objects, its instance labels (YX)."""

    odd_objects = "a label image holds them exactly"

    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Write one image and its labels, each at full size and halved until it fits a screen."""
        image = sample.read_image()
        pixels = np.moveaxis(image.pixels, -1, 0)
        rgb = is_rgb(len(pixels), pixels.dtype, image.rgb)
        path = self.folder / f"{sample.name}.ome.zarr"
        planes = pixels[0] if len(pixels) == 1 else pixels
        write_levels(path, planes, sample.pixel_size_um, {"omero": _RGB_DISPLAY} if rgb else {}, mean=True)
        known = LabelsAttrs(version="0.5", labels=[NAME])
        zarr.create_group(LocalStore(path / "labels"), attributes={"ome": known.model_dump()})
        source = {"image-label": {"version": "0.5", "source": {"image": "../../"}}}
        write_levels(path / "labels" / NAME, stored(labels), sample.pixel_size_um, source, mean=False)


def write_levels(
    path: Path, pixels: np.ndarray, pixel_size_um: float | None, more: dict[str, Any], *, mean: bool
) -> None:
    """Write an image and its halved copies as one multiscale image.

    Parameters
    ----------
    path
        The new group's folder.
    pixels
        (Y, X) or (C, Y, X).
    pixel_size_um
        Side of a pixel.
    more
        Goes into the metadata beside "multiscales".
    mean
        Halve by the mean of 2 × 2 pixels; otherwise, for labels, by the first of them.
    """
    shapes = [pixels.shape]
    while max(shapes[-1][-2:]) > _SMALLEST:
        shapes.append((*pixels.shape[:-2], *(-(-side // 2) for side in shapes[-1][-2:])))
    names = "cyx"[-pixels.ndim :]
    unit = "micrometer" if pixel_size_um else None
    axes = [
        Axis(name="c", type="channel") if name == "c" else Axis(name=name, type="space", unit=unit) for name in names
    ]
    chunks = (1,) * (pixels.ndim - 2) + (_CHUNK, _CHUNK)
    specs: list[Any] = [
        ArraySpec.from_array(
            zarr.empty(shape, dtype=pixels.dtype, chunks=chunks, dimension_names=tuple(names), store={})
        )
        for shape in shapes
    ]
    size, leading = pixel_size_um or 1.0, [1.0] * (pixels.ndim - 2)
    steps = [2**level for level in range(len(shapes))]
    model = Image.new(
        array_specs=specs,
        paths=[str(level) for level in range(len(shapes))],
        axes=axes,
        scales=[[*leading, size * step, size * step] for step in steps],
        # a halved pixel's centre lies between the centres of those it is made of
        translations=[[0.0] * len(leading) + [size * (step - 1) / 2] * 2 for step in steps],
        name=path.name.removesuffix(".ome.zarr"),
    )
    group: Any = model.to_zarr(LocalStore(path), path="")
    # what is not known is left out: the specification's schemas do not take null for it
    group.attrs["ome"] = model.attributes.ome.model_dump(exclude_none=True) | more
    for level in range(len(shapes)):
        if level:
            pixels = _halved(pixels) if mean else pixels[..., ::2, ::2]
        group[str(level)][...] = pixels


def _halved(pixels: np.ndarray) -> np.ndarray:
    """Mean of each 2 × 2 pixels, dtype kept; odd sides are filled up with the last pixel. Plane by plane, in bands."""
    height, width = (-(-side // 2) for side in pixels.shape[-2:])
    planes = pixels.reshape(-1, *pixels.shape[-2:])
    halved = np.empty((len(planes), height, width), pixels.dtype)
    for plane, out in zip(planes, halved, strict=True):
        for top in range(0, height, _CHUNK):
            band = plane[2 * top : 2 * (top + _CHUNK)]
            band = np.pad(band, [(0, side % 2) for side in band.shape], mode="edge")
            small = downscale_local_mean(band, (2, 2))
            out[top : top + _CHUNK] = np.rint(small) if pixels.dtype.kind in "ui" else small
    return halved.reshape(*pixels.shape[:-2], height, width)
