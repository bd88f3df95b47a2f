"""Corrections of a label image: pure functions, the image in, a changed copy out."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.feature import peak_local_max
from skimage.segmentation import watershed

Labels = NDArray[np.integer]


def next_label(labels: Labels) -> int:
    """Give the smallest number that is larger than all in use."""
    return int(labels.max(initial=0)) + 1


def box_of(labels: Labels, label: int) -> tuple[slice, slice]:
    """Rows and columns of the box around an object.

    Raises
    ------
    KeyError
        No pixel has this label.
    """
    rows = np.flatnonzero((labels == label).any(axis=1))
    if not label or not len(rows):
        raise KeyError(label)
    band = slice(int(rows[0]), int(rows[-1]) + 1)
    columns = np.flatnonzero((labels[band] == label).any(axis=0))
    return band, slice(int(columns[0]), int(columns[-1]) + 1)


def box_around(labels: Labels, chosen: Sequence[int]) -> tuple[slice, slice]:
    """Rows and columns of the box around those of some objects that are in the image; KeyError when none is."""
    boxes = []
    for label in chosen:
        with contextlib.suppress(KeyError):
            boxes.append(box_of(labels, label))
    if not boxes:
        raise KeyError(*chosen)
    rows, columns = zip(*boxes, strict=True)
    return (
        slice(min(each.start for each in rows), max(each.stop for each in rows)),
        slice(min(each.start for each in columns), max(each.stop for each in columns)),
    )


def reject(labels: Labels, label: int) -> Labels:
    """Remove an object."""
    changed = labels.copy()
    box = box_of(labels, label)
    changed[box][labels[box] == label] = 0
    return changed


def merge(labels: Labels, chosen: Sequence[int]) -> Labels:
    """Give several objects the number of the first of them.

    Raises
    ------
    ValueError
        Fewer than two different objects.
    KeyError
        One of them is not in the image.
    """
    first, *others = dict.fromkeys(chosen)
    if not others:
        raise ValueError("two objects are needed to merge")
    box_of(labels, first)
    changed = labels.copy()
    for other in others:
        box = box_of(labels, other)
        changed[box][labels[box] == other] = first
    return changed


def split(labels: Labels, label: int, seeds: Sequence[tuple[int, int]] = (), following: int | None = None) -> Labels:
    """Cut an object in two or more by a watershed of its distance to its border.

    Parameters
    ----------
    labels : (H, W) integers
    label : int
        The object to cut.
    seeds : sequence of (row, column), optional
        A pixel in each part. Without two of them that lie in the object, the two deepest places of its distance map
        that are farthest from its outline are taken; an object without two such places is cut across its longest axis.
    following : int, optional
        Number of the first new part, where `labels` is a crop of the image; by default the next one that is free.

    Returns
    -------
    (H, W), dtype kept
        The first part keeps the number; the others get new ones.

    Raises
    ------
    KeyError
        No pixel has this label.
    ValueError
        The object is a single pixel.
    """
    box = box_of(labels, label)
    mask = labels[box] == label
    if mask.sum() < 2:
        raise ValueError(f"object {label} is a single pixel")
    inside = [(row - box[0].start, column - box[1].start) for row, column in seeds]
    inside = [
        place
        for place in dict.fromkeys(inside)
        if 0 <= place[0] < mask.shape[0] and 0 <= place[1] < mask.shape[1] and mask[place]
    ]
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    places = inside if len(inside) >= 2 else _two_places(mask, distance)
    markers = np.zeros(mask.shape, np.int32)
    for number, place in enumerate(places, start=1):
        markers[place] = number
    parts = watershed(-distance, markers, mask=mask)
    changed = labels.copy()
    following = next_label(labels) if following is None else following
    for number in range(2, len(places) + 1):
        changed[box][parts == number] = following + number - 2
    changed[box][mask & (parts == 0)] = label  # pieces that no seed reaches stay what they were
    return changed


def _two_places(mask: NDArray[np.bool_], distance: NDArray[np.floating]) -> list[tuple[int, int]]:
    """Two pixels to grow the halves from."""
    peaks = peak_local_max(distance, min_distance=2, labels=mask.astype(np.int32), num_peaks=2, exclude_border=False)
    if len(peaks) == 2:
        return [(int(row), int(column)) for row, column in peaks]
    pixels = np.argwhere(mask)
    centred = pixels - pixels.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = centred @ axis
    ends = pixels[along.argmin()], pixels[along.argmax()]
    return [(int(row), int(column)) for row, column in ends]
