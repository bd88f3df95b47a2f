"""The labeled windows of a dataset, read with their surroundings."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from fewstain.dataset import (
    LABEL_MORE,
    LEAST_WINDOWS,
    TOO_FEW_WINDOWS,
    Dataset,
    Window,
    label_pieces,
    window_name,
)
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_image, read_labels, stem
from fewstain.layout import numbered
from fewstain.pixels.colours import pool_colours
from fewstain.pixels.labeled_window import LabeledWindow, label_window


def read_windows(
    dataset: Dataset,
    windows: Sequence[Window],
    normaliser: Normaliser,
    channels: Sequence[int],
    multiple: int,
    classes: Mapping[str, int],
) -> Iterator[LabeledWindow]:
    """Read labeled windows with their surroundings, and the colours of the pool; each image is let go once it is read.

    A window larger than `dataset.LARGEST_PIECE` comes in pieces, each a window named after its place. The objects of a
    label file are numbered 1..n, whatever their labels are there.

    Parameters
    ----------
    dataset
        Gives the classes of objects.
    windows
        Which of its windows.
    normaliser, channels
        As in the denoiser's training.
    multiple
        Sides of the context are multiples of it.
    classes
        Index of each class name; empty where objects have no classes.

    Raises
    ------
    UserError
        A window that does not lie in its image, or an object without a class where others have one.
    """
    paths = sorted({window.image for window in windows})
    colours = pool_colours(dataset.images, normaliser, channels, always=paths)
    for path in paths:
        pixels = read_image(path).pixels
        image = normaliser.apply(pixels[..., list(channels)])
        for window in (each for each in windows if each.image == path):
            labels, values = numbered(read_labels(window.labels))
            if window.y + labels.shape[0] > image.shape[1] or window.x + labels.shape[1] > image.shape[2]:
                raise UserError(
                    f"{window.labels}: the window reaches beyond {path.name}; correct the __y_x in its name"
                )
            of_label = _class_of_numbers(window, dataset, values, classes)
            pieces = label_pieces(*labels.shape)
            for rows, columns in pieces:
                y, x = window.y + rows.start, window.x + columns.start
                name = window.name if len(pieces) == 1 else window_name(stem(path), y, x)
                found = label_window(image, labels[rows, columns], (y, x), name, stem(path), multiple, of_label)
                yield replace(found, colours=colours)


def labeled_windows(
    dataset: Dataset,
    normaliser: Normaliser,
    channels: Sequence[int],
    multiple: int,
    class_names: Sequence[str],
    n_labels: int | None = None,
) -> list[LabeledWindow]:
    """Read all labeled windows of a dataset, or its first `n_labels` label files, to learn from; see `read_windows`.

    Raises
    ------
    UserError
        As `read_windows`; too few windows, or too few objects in them.
    """
    folder = dataset.root / "labels"
    index = {name: number for number, name in enumerate(class_names)}
    windows = list(read_windows(dataset, dataset.windows[:n_labels], normaliser, channels, multiple, index))
    if len(windows) < LEAST_WINDOWS:
        raise UserError(f"{folder}: {len(windows)} labeled windows, but {TOO_FEW_WINDOWS}; {LABEL_MORE}")
    if sum(len(np.unique(window.labels)) - 1 for window in windows) < 2:
        raise UserError(f"{folder}: the labels have fewer than two objects; label windows with cells in them")
    return windows


def _class_of_numbers(
    window: Window, dataset: Dataset, values: NDArray[np.integer], classes: Mapping[str, int]
) -> dict[int, int] | None:
    """Class index of each object by its number; `values` (n + 1,) are the labels that classes.csv knows them by."""
    if not classes:
        return None
    named, labels = dataset.classes.get(window.name, {}), values[1:].tolist()
    missing = [label for label in labels if label not in named]
    if missing:
        raise UserError(
            f"{window.labels}: labels {missing[:5]} have no class in {window.labels.parent / 'classes.csv'}; "
            "add a row for each object, or remove the file"
        )
    return {number: classes[named[label]] for number, label in enumerate(labels, start=1)}
