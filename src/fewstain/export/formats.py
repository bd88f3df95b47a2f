"""Which formats there are, and the module and package that write each."""

from __future__ import annotations

import importlib
from enum import StrEnum
from typing import TYPE_CHECKING, cast

from fewstain.errors import UserError, install_extra

if TYPE_CHECKING:
    from fewstain.export.writer import Writer


class Format(StrEnum):
    """What `fewstain export --format` takes."""

    cellpose = "cellpose"
    stardist = "stardist"
    nnunet = "nnunet"
    coco = "coco"
    geojson = "geojson"
    imagej = "imagej"
    ome_tiff = "ome-tiff"
    ome_zarr = "ome-zarr"


_WRITERS = {
    Format.cellpose: ("training", "Cellpose"),
    Format.stardist: ("training", "StarDist"),
    Format.nnunet: ("training", "NnUNet"),
    Format.coco: ("coco", "Coco"),
    Format.geojson: ("geojson", "GeoJson"),
    Format.imagej: ("imagej", "ImageJ"),
    Format.ome_tiff: ("ome_tiff", "OmeTiff"),
    Format.ome_zarr: ("ome_zarr", "OmeZarr"),
}


def writer_of(kind: Format) -> type[Writer]:
    """Load a format's writer; UserError when the package it needs is not installed."""
    module, name = _WRITERS[kind]
    try:
        return cast("type[Writer]", getattr(importlib.import_module(f"fewstain.export.{module}"), name))
    except ModuleNotFoundError as error:
        raise UserError(
            f"--format {kind.value}: needs the package {error.name}; install it with: {install_extra('export')}"
        ) from error
