"""Corrections of an earlier model's masks, carried over to those of the current one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fewstain.images.read import read_labels
from fewstain.images.write import write_labels
from fewstain.pixels.decisions import CORRECTED, DECISION, MODEL, Decision, read_objects, write_objects


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


def model_of(predicted: pd.DataFrame, image: str) -> str:
    """Tell which model an image was segmented by: its objects' `model_hash`, or, without objects, that of others."""
    if MODEL not in predicted:
        return ""
    known = predicted.dropna(subset=[MODEL])
    for hashes in (known.loc[known["image"] == image, MODEL], known[MODEL]):
        if len(hashes):
            return str(hashes.iloc[0])
    return ""


def _tells_model(table: Path) -> bool:
    """Whether a table beside a corrected mask is one that was kept by napari, with decisions and models."""
    try:
        return {"area_px", DECISION, MODEL} <= set(pd.read_csv(table, nrows=0).columns)
    except (OSError, ValueError):  # told by who needs what is in it
        return False


def _renewed(table: Path, prediction: Path, predicted: pd.DataFrame) -> bool:
    """Carry the corrections of one image over; False when they are of the current model, or there is nothing to do."""
    mask, rows, model = table.with_suffix(".tif"), read_objects(table), model_of(predicted, table.stem)
    if not model or set(rows[MODEL].dropna()) <= {model} or not mask.is_file() or not prediction.is_file():
        return False
    corrected, new = read_labels(mask), read_labels(prediction)
    if corrected.shape != new.shape:  # of another image of this name; told where it is measured
        return False
    is_kept = rows[DECISION].isin([Decision.ACCEPTED.value, Decision.CHANGED.value])
    is_drawn = rows["label"].isin(np.unique(corrected))
    # earlier versions let an object be accepted after it was removed
    rows.loc[is_kept & ~is_drawn, DECISION] = Decision.REJECTED.value
    rejected, kept = rows[rows[DECISION] == Decision.REJECTED], rows[is_kept & is_drawn]
    labels, numbers = carry_over(new, corrected, kept["label"].tolist(), rejected)
    decided = pd.concat([kept, rejected]).assign(**{MODEL: model})
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
