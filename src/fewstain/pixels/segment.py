"""Whole folders of images -> masks, uncertainty maps and tables, one image and one tile at a time."""

from __future__ import annotations

import contextlib
import csv
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pandas as pd

from fewstain.diffusion.progress import StepProgress
from fewstain.errors import UserError
from fewstain.images.plane import Header
from fewstain.images.read import namesakes, read_header, read_image, stem
from fewstain.images.write import label_dtype, write_labels, write_map, write_tiles
from fewstain.pixels.blocks import decode_blocks
from fewstain.pixels.measure import count_row, flag_images, measure, measurement_columns
from fewstain.pixels.model import Model
from fewstain.pixels.planes import Planes, zeros
from fewstain.pixels.predict import ImageMaps
from fewstain.pixels.tiling import count_tiles
from fewstain.settings import SegmentSettings
from fewstain.storage import atomic_path

LARGE = 4096 * 4096  # pixels from which an image's maps lie on disk
FILE_TILE = 256


def segment_files(
    model: Model,
    paths: Sequence[Path],
    out: Path,
    settings: SegmentSettings,
    *,
    measurements: bool = True,
    pixel_size_um: float | None = None,
    progress: bool = True,
) -> pd.DataFrame:
    """Segment image files, holding one at a time.

    Writes out/masks/<stem>.tif, out/uncertainty/<stem>.tif and, when all are done, out/measurements.csv and
    out/counts.csv, in which `image` is the file's name without its extension.

    Parameters
    ----------
    model
        See `load`.
    paths
        Images of the kind the model was made for.
    out
        Folder, made where it is missing.
    settings
        Tiles and flips.
    measurements
        Whether to measure every object.
    pixel_size_um
        Where the files do not tell.
    progress
        Show it on standard error.

    Returns
    -------
    pandas.DataFrame
        counts.csv.

    Raises
    ------
    UserError
        Before anything is computed: no images, an unreadable header, images of another kind than the model was made
        for, two images of one stem. Later: a truncated file, a full disk.
    """
    total = sum(_tiles(model, header, settings) for header in check_files(model, paths))
    shown = StepProgress("segmenting", total, images_per_step=len(paths) / total) if progress else None
    done = 0

    def advance() -> None:
        nonlocal done
        done += 1
        if shown and shown.due(done):
            shown.show(done)

    with contextlib.ExitStack() as stack:
        table = stack.enter_context(_measurements(out, model.record.file_channels)) if measurements else None
        if shown:
            stack.enter_context(shown)
        rows = [_segment_file(model, path, out, settings, table, pixel_size_um, advance) for path in paths]
    counts = flag_images(pd.DataFrame(rows))
    with atomic_path(out / "counts.csv") as temporary:
        counts.to_csv(temporary, index=False, float_format="%.10g")
    return counts


def _segment_file(
    model: Model,
    path: Path,
    out: Path,
    settings: SegmentSettings,
    table: TextIO | None,
    pixel_size_um: float | None,
    advance: Callable[[], None],
) -> dict[str, Any]:
    """Segment one file; its row of counts.csv."""
    image = read_image(path)
    name, shape = stem(path), image.pixels.shape[:2]
    scratch = out if shape[0] * shape[1] > LARGE else None
    maps = ImageMaps.empty(shape, model.predictor, scratch)
    labels = zeros(shape, np.int32, scratch)
    model.predict(image.pixels, maps, settings, advance)
    objects = area = cut = 0
    for block in decode_blocks(maps, model.record.decoder, labels):
        objects = max(objects, int(block.labels.max(initial=0)))
        area += int(np.count_nonzero(block.labels))
        cut += block.cut
        if table is not None:
            measured = measure(
                block.labels,
                image.pixels[block.rows, block.columns],
                block.maps.uncertainty,
                image=name,
                pixel_size_um=image.pixel_size_um or pixel_size_um,
                classes=model.object_classes(block.labels, block.maps),
                confidence=block.confidence,
                model_hash=model.record.model_hash,
                offset=(block.rows.start, block.columns.start),
                shape=shape,
            )
            measured.to_csv(table, header=False, index=False, float_format="%.10g")
    uncertainty = sum(float(band.uncertainty.sum(dtype=np.float64)) for band in maps.bands()) / (shape[0] * shape[1])
    _write(out, name, maps, labels, objects)
    return count_row(name, objects, area, shape, uncertainty, cut)


def _write(out: Path, name: str, maps: ImageMaps, labels: Planes, objects: int) -> None:
    """Write mask and uncertainty; tile by tile where they lie on disk."""
    mask, uncertainty = out / "masks" / f"{name}.tif", out / "uncertainty" / f"{name}.tif"
    if labels.mapping is None:
        write_labels(mask, labels.array)
        write_map(uncertainty, maps.uncertainty)
        return
    write_tiles(
        mask, _file_tiles(labels, lambda *place: labels.array[place]), maps.shape, label_dtype(objects), FILE_TILE
    )
    tiles = _file_tiles(maps.planes, lambda *place: maps.window(*place).uncertainty)
    write_tiles(uncertainty, tiles, maps.shape, np.float32, FILE_TILE)


def _file_tiles(planes: Planes, cut: Callable[[slice, slice], np.ndarray]) -> Iterator[np.ndarray]:
    height, width = planes.array.shape[-2:]
    for top in range(0, height, FILE_TILE):
        for left in range(0, width, FILE_TILE):
            yield cut(slice(top, top + FILE_TILE), slice(left, left + FILE_TILE))
        planes.release()


def check_files(model: Model, paths: Sequence[Path]) -> list[Header]:
    """Look at every header, before anything is computed.

    Raises
    ------
    UserError
        No images, an unreadable header, images of another kind than the model was made for, two images of one stem.
    """
    if not paths:
        raise UserError("no images to segment; give one image file or more")
    for path, other in namesakes(paths):
        raise UserError(f"{path}: its mask would have the same name as that of {other}; rename one of them")
    headers = []
    for path in paths:
        header = read_header(path)
        model.check_kind(str(path), header.channels, header.dtype)
        headers.append(header)
    return headers


def _tiles(model: Model, header: Header, settings: SegmentSettings) -> int:
    return count_tiles((header.height, header.width), settings.tile, settings.overlap, model.predictor.multiple)


@contextlib.contextmanager
def _measurements(out: Path, channels: int) -> Iterator[TextIO]:
    """measurements.csv, open for rows, which gets its name when all are written."""
    with (
        atomic_path(out / "measurements.csv") as temporary,
        temporary.open("w", newline="", encoding="utf-8") as file,
    ):
        csv.writer(file, lineterminator="\n").writerow(measurement_columns(channels))
        yield file
