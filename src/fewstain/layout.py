"""What a label image tells about each pixel: where objects are, where they end, and how deep inside of one it lies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import find_boundaries

LAYOUT_CHANNELS = 3


def numbered(labels: NDArray[np.integer]) -> tuple[NDArray[np.int32], NDArray[np.integer]]:
    """Renumber objects 1..n without a gap, in the order of their labels.

    Much of what is computed of label images takes memory for every number up to the largest label, which in a file may
    be 2147483647.

    Parameters
    ----------
    labels
        (H, W) instance labels, 0 = background.

    Returns
    -------
    numbers
        (H, W) int32.
    values
        (n + 1,): the label that each number stands for; 0 for 0.
    """
    values, numbers = np.unique(np.append(0, labels), return_inverse=True)
    return numbers[1:].reshape(labels.shape).astype(np.int32), values


def normalised_distance(labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Euclidean distance of each object's pixels to the object's border, divided by its maximum in the object.

    Parameters
    ----------
    labels
        (H, W) instance labels, 0 = background. Touching objects are kept apart.

    Returns
    -------
    ndarray
        (H, W) float32 in [0, 1].
    """
    distance = np.zeros(labels.shape, np.float32)
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is None:
            continue
        inside = np.pad(labels[box] == label, 1)
        depth = ndimage.distance_transform_edt(inside)[1:-1, 1:-1]
        distance[box] += (depth / depth.max()).astype(np.float32)
    return distance


def layout_planes(labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Describe a label image by planes that convolutions can read; numbers of labels say nothing to them.

    Parameters
    ----------
    labels
        (H, W) instance labels, 0 = background.

    Returns
    -------
    ndarray
        (3, H, W) float32 in [0, 1]: foreground; boundary, the outermost pixels of each object, which keeps touching
        ones apart; `normalised_distance`.
    """
    labels, _ = numbered(labels)
    foreground, boundary = labels > 0, find_boundaries(labels, mode="inner")
    return np.stack([foreground, boundary, normalised_distance(labels)]).astype(np.float32)
