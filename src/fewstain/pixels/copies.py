"""Copies of a window's own objects, laid where they touch others: labels seldom show all the ways in which cells touch.

Cut, paste and learn (Dwibedi et al., ICCV 2017), within one window.
"""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import clear_border

from fewstain.pixels.labeled_window import turn_planes

RING = 3  # pixels around an object that are copied with it and blended in
BLEND_SIGMA = 1.0  # pixels
MOST_COVERED = 0.06  # share of a copy that may lie on other objects: it touches them, or nearly
STEP = 1.5  # pixels between two places that are tried
BRIGHTNESS = (0.85, 1.1)

Copied = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64], dict[int, int]]


def touching_copies(
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    places: NDArray[np.int64],
    n: int,
    rng: np.random.Generator,
) -> Copied:
    """Copy objects to places where they touch others.

    Parameters
    ----------
    image
        (C, H, W) in [-1, 1].
    labels
        (H, W), 0 = background.
    places
        (2, H, W) where each pixel comes from.
    n
        Copies to lay; fewer where there is no room, none where every object is cut by the window's edge.
    rng
        Which object, how it is turned, beside which other and in which direction.

    Returns
    -------
    image, labels, places
        With the copies, which have new labels; `places` of a copy's pixels are those they were copied from.
    original : dict
        The label that each copy is of.
    """
    image, labels, places = image.copy(), labels.copy(), places.copy()
    original: dict[int, int] = {}
    for _ in range(n):
        whole = np.setdiff1d(clear_border(labels), 0)
        if not len(whole):
            break
        label, beside = int(rng.choice(whole)), int(rng.choice(np.setdiff1d(labels, 0)))
        box = _box(labels == label)
        turn = partial(turn_planes, quarter_turns=int(rng.integers(4)), mirrored=bool(rng.integers(2)))
        inside = turn(labels[box] == label)
        corner = _touching_corner(inside, labels, beside, float(rng.uniform(0, 2 * math.pi)))
        if corner is None:
            continue
        there = tuple(slice(first, first + side) for first, side in zip(corner, inside.shape, strict=True))
        alpha = ndimage.gaussian_filter(inside.astype(np.float32), BLEND_SIGMA)
        pixels = turn(image[:, *box]) * np.float32(rng.uniform(*BRIGHTNESS))
        from_where = turn(places[:, *box])
        image[:, *there] += alpha * (pixels - image[:, *there])
        np.copyto(places[:, *there], from_where, where=inside)
        copy = int(labels.max()) + 1
        labels[there][inside] = copy
        original[copy] = original.get(label, label)
    return image, labels, places, original


def _box(inside: NDArray[np.bool_]) -> tuple[slice, slice]:
    """Rows and columns of an object and a ring around it."""
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - RING), int(rows[-1]) + RING + 1),
        slice(max(0, int(columns[0]) - RING), int(columns[-1]) + RING + 1),
    )


def _touching_corner(
    inside: NDArray[np.bool_], labels: NDArray[np.int32], beside: int, angle: float
) -> tuple[int, int] | None:
    """Go from an object's centre in a direction until the copy lies on nearly nothing; its top-left corner there."""
    rows, columns = np.nonzero(labels == beside)
    height, width = inside.shape
    allowed = MOST_COVERED * np.count_nonzero(inside)
    for distance in np.arange(0, math.hypot(*labels.shape), STEP):
        top = round(rows.mean() + distance * math.sin(angle) - height / 2)
        left = round(columns.mean() + distance * math.cos(angle) - width / 2)
        if top < 0 or left < 0 or top + height > labels.shape[0] or left + width > labels.shape[1]:
            return None
        covered = np.count_nonzero(labels[top : top + height, left : left + width][inside])
        if covered <= allowed:
            return top, left
    return None
