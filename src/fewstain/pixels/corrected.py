"""Masks that people corrected: the objects of a dataset with the corrections in place of the predictions."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from fewstain.dataset import list_files
from fewstain.errors import UserError
from fewstain.images.read import read_image, read_labels, stem
from fewstain.pixels.carried import renew_corrections
from fewstain.pixels.decisions import CORRECTED, read_table
from fewstain.pixels.measure import count_row, flag_images, measure
from fewstain.storage import atomic_path, read_json

MEASUREMENTS, COUNTS = "corrected_measurements.csv", "corrected_counts.csv"


class Written(NamedTuple):
    """What `write_corrected` did: how many images were corrected, and which corrections it carried over first."""

    corrected: int
    carried: list[str]


def write_corrected(results: Path, data: Path) -> Written:
    """Write results/corrected_measurements.csv and results/corrected_counts.csv.

    Both are measurements.csv and counts.csv with the rows of corrected images made anew from corrected/<image>.tif;
    the column `corrected` tells which those are. Class and confidence of an object are those of corrected/<image>.csv,
    and empty where that has none: nobody knows how likely a drawn object is right. Predictions stay as they are.
    Corrections of an earlier model's masks are carried over first, as `renew_corrections` does.

    Parameters
    ----------
    results
        With masks, measurements.csv and counts.csv.
    data
        The dataset's folder.

    Returns
    -------
    Written
        How many images were corrected, and which corrections were carried over.

    Raises
    ------
    UserError
        No tables yet; a corrected mask without an image, or of another size.
    """
    tables = {name: results / f"{name}.csv" for name in ("measurements", "counts")}
    for path in tables.values():
        if not path.is_file():
            raise UserError(f"{path}: no such file; run the workflow, or `fewstain segment`, first")
    objects, counts = (read_table(path) for path in tables.values())
    carried = renew_corrections(results)
    images = {stem(path): path for path in list_files(data / "images")}
    masks = {stem(path): path for path in list_files(results / CORRECTED, (".tif",))}
    sizes = read_json(results / "dataset.json").get("pixel_sizes_um", {})
    new_objects, new_counts = [], []
    for name, path in masks.items():
        if name not in images:
            raise UserError(f"{path}: no image of this name in {data / 'images'}; remove it or bring the image back")
        rows, count = _measured(name, images[name], path, results / "uncertainty" / f"{name}.tif", sizes)
        new_objects.append(rows)
        new_counts.append(count)
    objects = _replaced(objects, masks, new_objects)
    counts = _replaced(counts, masks, [pd.DataFrame(new_counts)] if new_counts else [])
    flagged = flag_images(counts.drop(columns=["look_at_this_one", "reason"]))
    for name, table in ((MEASUREMENTS, objects), (COUNTS, flagged)):
        with atomic_path(results / name) as temporary:
            table.to_csv(temporary, index=False, float_format="%.10g")
    return Written(len(masks), carried)


def _measured(
    name: str, image: Path, mask: Path, uncertainty: Path, sizes: dict[str, float | None]
) -> tuple[pd.DataFrame, dict[str, object]]:
    labels, pixels = read_labels(mask), read_image(image).pixels
    if labels.shape != pixels.shape[:2]:
        raise UserError(f"{mask}: not of the size of {image}; remove it, or correct the image anew")
    doubts = (
        read_image(uncertainty).pixels[..., 0] if uncertainty.is_file() else np.full(labels.shape, np.nan, np.float32)
    )
    told = _told(mask.with_suffix(".csv"))
    rows = measure(labels, pixels, doubts, image=name, pixel_size_um=sizes.get(image.name), **told)
    return rows, count_row(name, len(rows), int((labels > 0).sum()), labels.shape, float(doubts.mean()))


def _told(table: Path) -> dict[str, Any]:
    """Classes and confidence of the objects of a corrected mask, from the table that napari keeps beside it."""
    if not table.is_file():
        return {}
    rows = read_table(table).set_index("label")
    kept = {"classes": "class", "confidence": "confidence"}
    return {name: rows[column].dropna().to_dict() for name, column in kept.items() if column in rows}


def _replaced(table: pd.DataFrame, masks: dict[str, Path], new: list[pd.DataFrame]) -> pd.DataFrame:
    """Put new rows in place of those of corrected images, ordered by image as before."""
    kept = table[~table["image"].isin(list(masks))]
    joined = pd.concat([kept, *(rows.reindex(columns=table.columns) for rows in new)], ignore_index=True)
    joined["corrected"] = joined["image"].isin(list(masks))
    return joined.sort_values("image", kind="stable", ignore_index=True)
