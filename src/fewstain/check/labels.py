"""Checks of label files: readable, inside their image, whole objects, classes that exist."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage
from skimage.measure import label as connected_components

from fewstain.check.images import ImageFacts
from fewstain.check.report import CheckReport
from fewstain.dataset import CLASSES_FILE, parse_window, read_classes, window_name
from fewstain.errors import UserError
from fewstain.images.read import read_labels, stem


@dataclass(frozen=True)
class LabelFacts:
    """What remains of a label file once it was read; `y0:y1, x0:x1` is its place in the image."""

    path: Path
    image: Path
    y0: int
    x0: int
    y1: int
    x1: int
    values: frozenset[int]


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
        _check_objects(path, labels, report, least=2)
        height, width = labels.shape
        values = frozenset(int(value) for value in np.unique(labels) if value)
        usable[name] = LabelFacts(path, image, y, x, y + height, x + width, values)
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
            _check_objects(path, labels, report, least=0)
            values = frozenset(int(value) for value in np.unique(labels) if value)
            usable[name] = LabelFacts(path, image, 0, 0, *size, values)
    return usable


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


def _check_objects(path: Path, labels: np.ndarray, report: CheckReport, least: int) -> None:
    count = len(np.unique(labels)) - int((labels == 0).any())
    if count < least:
        report.warn(path, f"{count} object{'s' if count != 1 else ''} in it", "label windows with at least two objects")
    pieces = instances_in_pieces(labels)
    if pieces:
        report.warn(
            path, f"object {_some(pieces)} in several pieces", "give each piece its own value if they are separate"
        )


def instances_in_pieces(labels: np.ndarray) -> list[int]:
    """Label values whose pixels are not connected (8-neighbours)."""
    parts, count = connected_components(labels, background=0, connectivity=2, return_num=True)
    if not count:
        return []
    first = ndimage.maximum(labels, parts, np.arange(1, count + 1)).astype(np.int64)
    values, times = np.unique(first, return_counts=True)
    return [int(value) for value in values[times > 1]]


def _some(values: list[int]) -> str:
    shown = ", ".join(str(value) for value in values[:5])
    return f"{shown} and {len(values) - 5} more" if len(values) > 5 else shown


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(str(side) for side in shape)
