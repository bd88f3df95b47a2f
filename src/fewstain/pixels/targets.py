"""What the ensemble learns to predict at each pixel of a labeled window."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.segmentation import clear_border, find_boundaries

from fewstain.layout import normalised_distance

BACKGROUND, BOUNDARY, INTERIOR = 0, 1, 2


@dataclass(frozen=True)
class Targets:
    """Targets of one window.

    Attributes
    ----------
    classes
        (H, W) int64: 0 background, 1 boundary (an object's outermost pixels), 2 + c interior of an object of class c.
    distance
        (H, W) float32 in [0, 1]: distance to the object's border over its maximum in that object; 0 in background.
    distance_known
        (H, W) bool: False inside objects that the window's edge may have cut, whose distance cannot be known.
    """

    classes: NDArray[np.int64]
    distance: NDArray[np.float32]
    distance_known: NDArray[np.bool_]


def pixel_targets(labels: NDArray[np.integer], classes: Mapping[int, int] | None = None) -> Targets:
    """Turn instance labels into targets.

    Parameters
    ----------
    labels
        (H, W) instance labels of a window, 0 = background.
    classes
        Class index, from 0, of each label; None where there is one class only.
    """
    labels = np.asarray(labels, np.int64)
    return Targets(pixel_classes(labels, classes), normalised_distance(labels), clear_border(labels) == labels)


def pixel_classes(labels: NDArray[np.integer], classes: Mapping[int, int] | None = None) -> NDArray[np.int64]:
    """Class of each pixel: 0 background, 1 boundary (an object's outermost pixels), 2 + c interior of class c.

    Parameters
    ----------
    labels, classes
        As for `pixel_targets`.

    Returns
    -------
    ndarray
        (H, W) int64.
    """
    of_label = np.zeros(int(labels.max(initial=0)) + 1, np.int64)
    for label, index in (classes or {}).items():
        if label < len(of_label):
            of_label[label] = index
    semantic = np.where(labels > 0, INTERIOR + of_label[labels], BACKGROUND)
    semantic[find_boundaries(labels, mode="inner")] = BOUNDARY
    return semantic
