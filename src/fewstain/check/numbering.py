"""Whether labels number objects, each by a value of its own, or are something else in their place."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage
from skimage.measure import label as connected_components

# Pieces beyond one an object. Of 23,593 labels and windows of five stains some have more than half of their objects in
# pieces, where an edge cuts them; those have two of them at most.
MANY_PIECES = 4
# More than half of the objects have so few pixels: an image's noise. Of 321 images' labels none has more than 2 % such.
SPECK = 2
MANY_SPECKS = 20
FOREGROUND = 255  # what programs write into a mask that tells objects from background only
NO_INSTANCES = "looks like a mask of the foreground or an image, not one number per object"
NUMBER_THEM = (
    "number the objects (Fiji: Analyze Particles > Count Masks; Python: skimage.measure.label), "
    "those that touch each by its own number"
)


def pieces_of_objects(labels: np.ndarray) -> dict[int, int]:
    """Label value -> how many pieces (8-neighbours) its pixels are in, ordered by value."""
    parts, count = connected_components(labels, background=0, connectivity=2, return_num=True)
    if not count:
        return {}
    first = ndimage.maximum(labels, parts, np.arange(1, count + 1)).astype(np.int64)
    values, times = np.unique(first, return_counts=True)
    return dict(zip(values.tolist(), times.tolist(), strict=True))


def instances_in_pieces(labels: np.ndarray) -> list[int]:
    """Label values whose pixels are not connected (8-neighbours)."""
    return [value for value, number in pieces_of_objects(labels).items() if number > 1]


def are_no_instances(labels: np.ndarray, pieces: Mapping[int, int]) -> bool:
    """Whether labels are one value for all objects or for a class of them, or an image's intensities.

    Parameters
    ----------
    labels : (H, W) integers
        0 is background.
    pieces : mapping
        What `pieces_of_objects` found in them.
    """
    areas = np.unique(labels[labels > 0], return_counts=True)[1]
    specks = np.count_nonzero(areas <= SPECK)
    if specks >= MANY_SPECKS and specks > len(areas) / 2:
        return True
    torn = sum(number > 1 for number in pieces.values())
    if set(pieces) == {FOREGROUND}:
        return torn > 0
    return torn > len(pieces) / 2 and sum(pieces.values()) - len(pieces) >= MANY_PIECES
