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


def split(labels: Labels, label: int, following: int | None = None) -> Labels:
    """Cut an object in two by a watershed of its distance to its border.

    The place farthest from its outline is in one part, and that from which the narrowest neck leads there in the other;
    an object without a neck is cut across its longest axis.

    Parameters
    ----------
    labels : (H, W) integers
    label : int
        The object to cut.
    following : int, optional
        Number of the second part, where `labels` is a crop of the image; by default the next one that is free.

    Returns
    -------
    (H, W), dtype kept
        The first part keeps the number; the second gets a new one.

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
    distance = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    markers = np.zeros(mask.shape, np.int32)
    for number, place in enumerate(_two_places(mask, distance), start=1):
        markers[place] = number
    parts = watershed(-distance, markers, mask=mask)
    changed = labels.copy()
    changed[box][parts == 2] = next_label(labels) if following is None else following
    return changed


def _two_places(mask: NDArray[np.bool_], distance: NDArray[np.floating]) -> list[tuple[int, int]]:
    """Two pixels to grow the halves from.

    The second is the peak with the greatest prominence, not the second highest one, which may lie in the same lobe: of
    300 ellipses with a smaller disc that touches them, 3 are cut elsewhere than between the two instead of 70.
    """
    peaks = peak_local_max(distance, min_distance=1, labels=mask.astype(np.int32), exclude_border=False)
    if len(peaks) > 1:
        peaks = peaks[np.argsort(-distance[tuple(peaks.T)], kind="stable")]
        prominence = _prominence(mask, distance, peaks)
        second = int(prominence.argmax())
        if prominence[second] > 0:
            return [(int(row), int(column)) for row, column in peaks[[0, second]]]
    pixels = np.argwhere(mask)
    centred = pixels - pixels.mean(axis=0)
    axis = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    along = centred @ axis
    ends = pixels[along.argmin()], pixels[along.argmax()]
    return [(int(row), int(column)) for row, column in ends]


def _prominence(mask: NDArray[np.bool_], distance: NDArray, peaks: NDArray[np.integer]) -> NDArray[np.floating]:
    """How far one must come down from each of some peaks, highest first, to get to a higher one; 0 for the first.

    Peaks of other pieces, where no way leads, count in their full height.
    """
    heights = distance[tuple(peaks.T)]
    prominence = np.where(np.arange(len(peaks)) > 0, heights, 0.0)
    markers = np.zeros(mask.shape, np.int32)
    markers[tuple(peaks.T)] = np.arange(1, len(peaks) + 1)
    basins = watershed(-distance, markers, connectivity=2, mask=mask)
    higher = list(range(len(peaks)))  # peak -> one that it was joined to
    for saddle, one, other in _saddles(basins, distance):
        first, second = sorted((_root(higher, one - 1), _root(higher, other - 1)))
        if first != second:
            prominence[second] = heights[second] - saddle
            higher[second] = first
    return prominence


def _saddles(basins: Labels, distance: NDArray) -> list[tuple[float, int, int]]:
    """List the pixels where two basins meet, highest first: height, one basin, the other."""
    height, width = basins.shape
    basins, distance = np.pad(basins, 1), np.pad(distance, 1)
    here = (slice(1, height + 1), slice(1, width + 1))
    met: list[tuple[float, int, int]] = []
    for down, right in ((0, 1), (1, 0), (1, 1), (1, -1)):
        there = (slice(1 + down, height + 1 + down), slice(1 + right, width + 1 + right))
        one, other = basins[here], basins[there]
        border = (one != other) & (one > 0) & (other > 0)
        saddles = np.minimum(distance[here], distance[there])[border]
        met += zip(saddles.tolist(), one[border].tolist(), other[border].tolist(), strict=True)
    return sorted(met, reverse=True)


def _root(higher: list[int], peak: int) -> int:
    while higher[peak] != peak:
        peak = higher[peak]
    return peak
