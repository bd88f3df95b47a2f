"""Masks that people corrected: the objects of a dataset with the corrections in place of the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fewstain.dataset import list_files
from fewstain.errors import UserError
from fewstain.images.read import read_image, read_labels, stem
from fewstain.images.write import write_labels
from fewstain.pixels.measure import count_row, flag_images, measure
from fewstain.storage import atomic_path, read_json

CORRECTED = "corrected"
"""Folder of a results folder that takes corrected masks, beside the predicted ones."""
MEASUREMENTS, COUNTS = "corrected_measurements.csv", "corrected_counts.csv"
DECISION = "decision"
"""Column of the table of objects beside a corrected mask."""
_MODEL = "model_hash"


class Decision(StrEnum):
    """What a person said of an object; OPEN until then."""

    OPEN = ""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CHANGED = "changed"


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
    objects, counts = (pd.read_csv(path, dtype={"image": str, "class": str}) for path in tables.values())
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


def renew_corrections(results: Path) -> list[str]:
    """Carry what somebody decided on over to the masks of the current model, where it was made on another one's.

    Which model an object was corrected on, its `model_hash` in corrected/<image>.csv tells. A corrected mask without
    such a table, as other programs save it, is taken as it is.

    Parameters
    ----------
    results
        With masks/ and measurements.csv, which tells the current model; corrected/ is written to.

    Returns
    -------
    list of str
        Stems of the images whose corrections were carried over.

    Raises
    ------
    UserError
        A table or mask that cannot be read or written.
    """
    tables = [path for path in sorted((results / CORRECTED).glob("*.csv")) if _tells_model(path)]
    if not tables or not (results / "measurements.csv").is_file():
        return []
    predicted = read_objects(results / "measurements.csv")
    return [path.stem for path in tables if _renewed(path, results / "masks" / f"{path.stem}.tif", predicted)]


def carry_over(
    new: NDArray[np.integer], corrected: NDArray[np.integer], kept: Sequence[int], rejected: pd.DataFrame
) -> tuple[NDArray[np.int32], dict[int, int]]:
    """Put what somebody decided on into a new prediction.

    Parameters
    ----------
    new : (H, W)
        The new prediction.
    corrected : (H, W)
        The corrected mask.
    kept
        Its objects that were accepted or drawn. They keep their numbers and all their pixels, and replace the new
        objects more than half of which they cover.
    rejected
        Rows with label, centroid_y_px, centroid_x_px and area_px of objects that were removed. A new object that lies
        there and has between half and twice the area is the same one again, and is left out.

    Returns
    -------
    labels : (H, W) int32
        The new mask.
    numbers
        Number of a new object that was taken -> its number in this mask, another one where it was taken already.
    """
    mine = np.isin(corrected, list(kept))
    areas = np.bincount(new.ravel())
    covered = np.bincount(new[mine], minlength=len(areas))
    dropped = {int(label) for label in np.flatnonzero(2 * covered > areas)} | _found_again(new, areas, rejected)
    left = [int(label) for label in np.flatnonzero(areas) if label and label not in dropped]
    taken = {*kept, *(int(label) for label in rejected["label"])}
    free = iter(range(max([*taken, *left], default=0) + 1, np.iinfo(np.int32).max))
    numbers = {label: next(free) if label in taken else label for label in left}
    lookup = np.zeros(len(areas), np.int32)
    lookup[list(numbers)] = list(numbers.values())
    labels = lookup[new]
    labels[mine] = corrected[mine]
    return labels, numbers


def read_objects(path: Path) -> pd.DataFrame:
    """Read measurements.csv, or the table beside a corrected mask; UserError when it is none."""
    try:
        table = pd.read_csv(path, dtype={"image": str, "class": str, DECISION: str, _MODEL: str}, keep_default_na=True)
        return table.astype({"label": int, "area_px": int})
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not readable as a table of objects ({error}); remove it, and run again") from error


def write_objects(path: Path, rows: pd.DataFrame) -> None:
    """Write the table beside a corrected mask, in the order of the objects' numbers."""
    with atomic_path(path) as temporary:
        rows.sort_values("label").to_csv(temporary, index=False, float_format="%.10g")


def model_of(predicted: pd.DataFrame, image: str) -> str:
    """Tell which model an image was segmented by: its objects' `model_hash`, or, without objects, that of others."""
    if _MODEL not in predicted:
        return ""
    known = predicted.dropna(subset=[_MODEL])
    for hashes in (known.loc[known["image"] == image, _MODEL], known[_MODEL]):
        if len(hashes):
            return str(hashes.iloc[0])
    return ""


def _tells_model(table: Path) -> bool:
    """Whether a table beside a corrected mask is one that was kept by napari, with decisions and models."""
    try:
        return {"area_px", DECISION, _MODEL} <= set(pd.read_csv(table, nrows=0).columns)
    except (OSError, ValueError):  # told by who needs what is in it
        return False


def _renewed(table: Path, prediction: Path, predicted: pd.DataFrame) -> bool:
    """Carry the corrections of one image over; False when they are of the current model, or there is nothing to do."""
    mask, rows, model = table.with_suffix(".tif"), read_objects(table), model_of(predicted, table.stem)
    if not model or set(rows[_MODEL].dropna()) <= {model} or not mask.is_file() or not prediction.is_file():
        return False
    corrected, new = read_labels(mask), read_labels(prediction)
    if corrected.shape != new.shape:  # of another image of this name; told where it is measured
        return False
    rejected = rows[rows[DECISION] == Decision.REJECTED]
    kept = rows[rows[DECISION].isin([Decision.ACCEPTED.value, Decision.CHANGED.value])]
    labels, numbers = carry_over(new, corrected, kept["label"].tolist(), rejected)
    decided = pd.concat([kept, rejected]).assign(**{_MODEL: model})
    theirs = predicted[(predicted["image"] == table.stem) & predicted["label"].isin(list(numbers))]
    theirs = theirs.assign(label=theirs["label"].map(numbers), **{DECISION: Decision.OPEN.value})
    write_labels(mask, labels)  # decided objects keep their numbers: cut off here, the old table still holds for it
    write_objects(table, pd.concat([decided, theirs.reindex(columns=decided.columns)], ignore_index=True))
    return True


def _found_again(new: NDArray[np.integer], areas: NDArray[np.integer], rejected: pd.DataFrame) -> set[int]:
    """Labels of new objects that are where a rejected one was, and about as large."""
    found = set()
    places = zip(rejected["centroid_y_px"], rejected["centroid_x_px"], rejected["area_px"], strict=True)
    for y, x, area in places:
        label = int(new[min(round(y), new.shape[0] - 1), min(round(x), new.shape[1] - 1)])
        if label and area < 2 * areas[label] < 4 * area:
            found.add(label)
    return found


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
    rows = pd.read_csv(table, dtype={"class": str}).set_index("label")
    kept = {"classes": "class", "confidence": "confidence"}
    return {name: rows[column].dropna().to_dict() for name, column in kept.items() if column in rows}


def _replaced(table: pd.DataFrame, masks: dict[str, Path], new: list[pd.DataFrame]) -> pd.DataFrame:
    """Put new rows in place of those of corrected images, ordered by image as before."""
    kept = table[~table["image"].isin(list(masks))]
    joined = pd.concat([kept, *(rows.reindex(columns=table.columns) for rows in new)], ignore_index=True)
    joined["corrected"] = joined["image"].isin(list(masks))
    return joined.sort_values("image", kind="stable", ignore_index=True)
