"""Checks of label files: readable, inside their image, whole objects, classes that exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fewstain.check.images import ImageFacts
from fewstain.check.numbering import NO_INSTANCES, NUMBER_THEM, are_no_instances, pieces_of_objects
from fewstain.check.report import CheckReport
from fewstain.dataset import CLASSES_FILE, LABEL_MORE, parse_window, read_classes, window_name
from fewstain.errors import UserError
from fewstain.images.read import read_labels, stem

FEWEST_WHOLE = 20  # objects; with fewer their median size, and every score, hangs on single ones
MOST_CUT = 0.8  # share of the objects; windows of 128 pixels cut 54-71 % on the stains that were measured
LARGER_WINDOWS = "label windows at least three objects wide"


@dataclass(frozen=True)
class LabelFacts:
    """What remains of a label file once it was read; `y0:y1, x0:x1` is its place in the image.

    `values` are its objects, `whole` how many of them its edge does not cut.
    """

    path: Path
    image: Path
    y0: int
    x0: int
    y1: int
    x1: int
    values: frozenset[int]
    whole: int


def check_pool_labels(
    files: Mapping[str, Path], images: Mapping[str, Path], facts: Mapping[Path, ImageFacts], report: CheckReport
) -> dict[str, LabelFacts]:
    """Check the label files of the pool.

    Parameters
    ----------
    files, images : mapping
        Stem -> file.
    facts : mapping
        Image file -> what is known of it; images that could not be read are absent.

    Returns
    -------
    Stem -> facts of each usable label file
    """
    usable = {}
    for name, path in files.items():
        labels = _read(path, report)
        place = parse_window(name, images)
        if place is None:
            report.error(
                path,
                f"no image {name} (or {name.rpartition('__y')[0] or 'of a window'}) in {path.parent.parent / 'images'}",
                "rename the label as its image, a window as <image>__y<row>_x<column>, or add the image",
            )
            continue
        image, y, x = place
        whole = name in images
        if labels is None or image not in facts or not _inside(path, whole, labels, facts[image], y, x, report):
            continue
        if _check_objects(path, labels, report, least=2):
            usable[name] = _facts(path, image, y, x, labels)
    return usable


def check_test_labels(
    files: Mapping[str, Path], images: Mapping[str, Path], facts: Mapping[Path, ImageFacts], report: CheckReport
) -> dict[str, LabelFacts]:
    """Check the label files of the test images, which cover whole images."""
    usable = {}
    for name, path in files.items():
        labels = _read(path, report)
        image = images.get(name)
        if image is None:
            report.error(path, f"no image {name} in {path.parent.parent / 'images'}", "rename it or add the image")
        elif labels is not None and image in facts:
            size = (facts[image].height, facts[image].width)
            if labels.shape != size:
                report.error(
                    path,
                    f"labels of {_size(labels.shape)} for an image of {_size(size)}",
                    "label the whole image; windows are for the pool only",
                )
                continue
            if _check_objects(path, labels, report, least=0):
                usable[name] = _facts(path, image, 0, 0, labels)
    return usable


def check_whole(folder: Path, labels: Mapping[str, LabelFacts], report: CheckReport) -> None:
    """Objects that a window's edge cuts have no size and are not scored: some must lie in their window whole."""
    objects = sum(len(facts.values) for facts in labels.values())
    if not objects:
        return
    whole = report.n_whole_objects
    cut = f"{objects - whole} of {objects} objects are cut by their window's edge"
    if not whole:
        report.error(
            folder, f"{cut}, none lies whole, so their size is not known and nothing can be scored", LARGER_WINDOWS
        )
    elif objects - whole > MOST_CUT * objects:
        report.warn(folder, f"{cut}; sizes and scores are of the few that lie whole", LARGER_WINDOWS)
    elif whole < FEWEST_WHOLE:
        report.warn(
            folder,
            f"{whole} whole objects in all labels (those cut by their window's edge don't count); sizes and scores are "
            "of these few",
            LABEL_MORE if objects < FEWEST_WHOLE else LARGER_WINDOWS,
        )


def check_overlaps(labels: Mapping[str, LabelFacts], report: CheckReport) -> None:
    """Two label files of the same pixels: they would count twice, and sit on both sides of a cross-validation."""
    by_image: dict[Path, list[LabelFacts]] = {}
    for facts in labels.values():
        others = by_image.setdefault(facts.image, [])
        for other in others:
            if min(facts.y1, other.y1) > max(facts.y0, other.y0) and min(facts.x1, other.x1) > max(facts.x0, other.x0):
                report.warn(facts.path, f"overlaps {other.path.name}", "label windows apart from each other")
        others.append(facts)


def check_classes(folder: Path, labels: Mapping[str, LabelFacts], report: CheckReport, complete: bool) -> None:
    """classes.csv against the label values that it speaks of; `complete` asks for a class of every object."""
    path = folder / CLASSES_FILE
    try:
        classes = read_classes(path)
    except UserError as error:
        report.refuse(path, error)
        return
    tell = report.error if complete else report.warn
    for name, of_file in classes.items():
        if name not in labels:
            report.error(path, f"no usable label file {name} in {folder}", "correct the column file, or add the labels")
            continue
        strangers = sorted(set(of_file) - labels[name].values)
        if strangers:
            report.error(
                path, f"{name} has no object {_some(strangers)}", "use the values in the label image, or drop the lines"
            )
        unnamed = sorted(labels[name].values - set(of_file))
        if unnamed:
            tell(path, f"{name}: no class for object {_some(unnamed)}", "add a line for each object")
    for name in sorted(name for name in set(labels) - set(classes) if labels[name].values) if classes else ():
        tell(path, f"no classes for {name}", "add a line for each of its objects, or remove the table")


def _read(path: Path, report: CheckReport) -> np.ndarray | None:
    try:
        return read_labels(path)
    except UserError as error:
        report.refuse(path, error)
        return None


def _facts(path: Path, image: Path, y: int, x: int, labels: np.ndarray) -> LabelFacts:
    height, width = labels.shape
    values = frozenset(np.unique(labels[labels > 0]).tolist())
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    whole = len(values.difference(edge.tolist()))
    return LabelFacts(path, image, y, x, y + height, x + width, values, whole)


def _inside(
    path: Path, whole: bool, labels: np.ndarray, image: ImageFacts, y: int, x: int, report: CheckReport
) -> bool:
    """Whether a window lies inside its image, or labels of a whole image have its size."""
    height, width = labels.shape
    size = (image.height, image.width)
    if whole and labels.shape != size:
        report.error(
            path,
            f"labels of {_size(labels.shape)} for an image of {_size(size)}",
            "label the whole image, or name a window after its top-left pixel: "
            f"{window_name(stem(path), 0, 0)}.tif for row 0, column 0",
        )
        return False
    if y + height > image.height or x + width > image.width:
        report.error(
            path,
            f"the window of {_size(labels.shape)} at row {y}, column {x} reaches outside its image of {_size(size)}",
            "correct the row and column in its name",
        )
        return False
    return True


def _check_objects(path: Path, labels: np.ndarray, report: CheckReport, least: int) -> bool:
    """Tell what is odd about the objects; whether they are objects at all."""
    pieces = pieces_of_objects(labels)
    if are_no_instances(labels, pieces):
        report.error(path, NO_INSTANCES, NUMBER_THEM)
        return False
    count = len(pieces)
    if count < least:
        report.warn(path, f"{count} object{'s' if count != 1 else ''} in it", "label windows with at least two objects")
    torn = [value for value, number in pieces.items() if number > 1]
    if torn:
        report.warn(
            path, f"object {_some(torn)} in several pieces", "give each piece its own value if they are separate"
        )
    return True


def _some(values: list[int]) -> str:
    shown = ", ".join(str(value) for value in values[:5])
    return f"{shown} and {len(values) - 5} more" if len(values) > 5 else shown


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(side) for side in shape)
