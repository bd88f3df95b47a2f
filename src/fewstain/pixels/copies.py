"""Copies of a window's own objects, laid where they touch others: labels seldom show all the ways in which cells touch.

Cut, paste and learn (Dwibedi et al., ICCV 2017), within one window.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import clear_border

from fewstain.pixels.labeled_window import turn_planes

RING = 4  # pixels around an object that are copied with it
BLEND_SIGMA = 1.0  # pixels
HALO = 2  # pixels around an object whose light is its own: what the optics spread
MOST_COVERED = 0.12  # share of a copy that may lie on other objects: it touches them, or nearly
THROUGH_CHANCE = 0.5  # of a copy to shine through what it lies on, not to hide it
PLACES = 8  # tried for a copy
STEP = 1.5  # pixels between two places on the way from an object's centre
BRIGHTNESS = (0.85, 1.1)

Copied = tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64], dict[int, int]]
Box = tuple[slice, slice]


def touching_copies(
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    places: NDArray[np.int64],
    n: int,
    rng: np.random.Generator,
) -> Copied:
    """Copy objects to places where they touch others, half of them hiding what they lie on, half shining through.

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
        Which object, how it is turned, beside which other and in which direction, and how it is laid.

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
        found = _find_place(labels, rng)
        if found is None:
            continue
        inside, free = found.turn(labels[found.box] == found.label), found.turn(labels[found.box] == 0)
        pixels = found.turn(image[:, *found.box]) * np.float32(rng.uniform(*BRIGHTNESS))
        laid = shone_through if rng.random() < THROUGH_CHANCE else laid_over
        from_where = found.turn(places[:, *found.box])
        image[:, *found.there] = laid(image[:, *found.there], pixels, inside, free)
        np.copyto(places[:, *found.there], from_where, where=inside)
        copy = int(labels.max()) + 1
        labels[found.there][inside] = copy
        original[copy] = original.get(found.label, found.label)
    return image, labels, places, original


def laid_over(
    under: NDArray[np.float32], pixels: NDArray[np.float32], inside: NDArray[np.bool_], free: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Lay an object over others, which it hides, its rim blended in.

    Parameters
    ----------
    under, pixels
        (C, h, w) what it is laid on, and the object with what is around it.
    inside, free
        (h, w) where of `pixels` the object is, and where no object is.
    """
    return under + _softened(inside) * (pixels - under)


def shone_through(
    under: NDArray[np.float32], pixels: NDArray[np.float32], inside: NDArray[np.bool_], free: NDArray[np.bool_]
) -> NDArray[np.float32]:
    """Add an object's light, or its stain, to that of others, as where cells lie on one another or their light spreads.

    What is added is how far the object and its halo differ from the background around it, so that between two that
    touch there is no dark seam. Takes what `laid_over` takes; without any background around it, lays the object over.
    """
    if not free.any():
        return laid_over(under, pixels, inside, free)
    background = np.median(pixels[:, free], axis=1)[:, None, None]
    own = ndimage.binary_dilation(inside, iterations=HALO) & (inside | free)
    return np.clip(under + _softened(own) * (pixels - background), -1, 1)


def _softened(inside: NDArray[np.bool_]) -> NDArray[np.float32]:
    return ndimage.gaussian_filter(inside.astype(np.float32), BLEND_SIGMA)


@dataclass(frozen=True)
class _Place:
    """Which object is copied, from which box to which, and how it is turned."""

    label: int
    box: Box
    there: Box
    turn: Callable[[NDArray], NDArray]


def _find_place(labels: NDArray[np.int32], rng: np.random.Generator) -> _Place | None:
    """Draw an object that no edge cuts and a place where it touches another; None if no place drawn has room."""
    whole, every = np.setdiff1d(clear_border(labels), 0), np.setdiff1d(labels, 0)
    for _ in range(PLACES if len(whole) else 0):
        label, beside = int(rng.choice(whole)), int(rng.choice(every))
        box = _box(labels == label)
        turn = partial(turn_planes, quarter_turns=int(rng.integers(4)), mirrored=bool(rng.integers(2)))
        inside = turn(labels[box] == label)
        allowed = rng.uniform(0, MOST_COVERED) * np.count_nonzero(inside)
        there = _touching_box(inside, labels, beside, float(rng.uniform(0, 2 * math.pi)), allowed)
        if there is not None:
            return _Place(label, box, there, turn)
    return None


def _box(inside: NDArray[np.bool_]) -> Box:
    """Rows and columns of an object and a ring around it."""
    rows, columns = (np.flatnonzero(inside.any(axis)) for axis in (1, 0))
    return (
        slice(max(0, int(rows[0]) - RING), int(rows[-1]) + RING + 1),
        slice(max(0, int(columns[0]) - RING), int(columns[-1]) + RING + 1),
    )


def _touching_box(
    inside: NDArray[np.bool_], labels: NDArray[np.int32], beside: int, angle: float, allowed: float
) -> Box | None:
    """Go from an object's centre in a direction until the copy lies on no more than `allowed` pixels of objects."""
    rows, columns = np.nonzero(labels == beside)
    height, width = inside.shape
    for distance in np.arange(0, math.hypot(*labels.shape), STEP):
        top = round(rows.mean() + distance * math.sin(angle) - height / 2)
        left = round(columns.mean() + distance * math.cos(angle) - width / 2)
        if top < 0 or left < 0 or top + height > labels.shape[0] or left + width > labels.shape[1]:
            return None
        there = slice(top, top + height), slice(left, left + width)
        if np.count_nonzero(labels[there][inside]) <= allowed:
            return there
    return None
