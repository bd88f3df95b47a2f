"""Layouts changed to a wish: more crowding, larger objects, another count."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import clear_border, relabel_sequential

Labels = NDArray[np.int32]
TRIES = 60  # places tried for one more object


@dataclass(frozen=True)
class Wish:
    """How layouts are to differ from those learned.

    Attributes
    ----------
    crowding
        Area covered by objects, as a multiple of what the layout covers.
    size
        Diameter of objects, as a multiple of what was learned.
    count
        Objects in each layout; None for as many as come.
    """

    crowding: float = 1.0
    size: float = 1.0
    count: int | None = None


def source_size(size: tuple[int, int], factor: float, multiple: int) -> tuple[int, int]:
    """Size of the layout that, enlarged by a factor, fills (H, W): at least that, in multiples of the network's."""
    height, width = (int(np.ceil(side / factor / multiple)) * multiple for side in size)
    return height, width


def enlarge(labels: Labels, factor: float, size: tuple[int, int]) -> Labels:
    """Enlarge the objects of a layout, and cut the middle out of it.

    Parameters
    ----------
    labels
        (h, w), h >= H / factor and w >= W / factor.
    factor
        Of each side.
    size
        (H, W) of the result.
    """
    rows, columns = (
        np.floor((np.arange(side) + 0.5 - side / 2) / factor + given / 2).astype(int).clip(0, given - 1)
        for side, given in zip(size, labels.shape, strict=True)
    )
    return relabeled(labels[np.ix_(rows, columns)])


def arrange(labels: Labels, wish: Wish, random: np.random.Generator) -> Labels:
    """Add copies of objects, or take objects away, until count and crowding are as wished, as far as there is room.

    A count decides; without one the covered area does. Copies are turned and mirrored, and lie where no object is; they
    may touch others. A layout without objects stays as it is.
    """
    if wish.count is not None:
        wanted = wish.count
        labels = thin(labels, lambda kept: count_objects(kept) <= wanted, random)
        return crowd(labels, lambda grown: count_objects(grown) >= wanted, random)
    area = wish.crowding * covered(labels)
    if wish.crowding < 1:
        return thin(labels, lambda kept: covered(kept) <= area, random)
    return crowd(labels, lambda grown: covered(grown) >= area, random)


def thin(labels: Labels, enough: Callable[[Labels], bool], random: np.random.Generator) -> Labels:
    """Take objects away, one at random after the other, until few enough are left."""
    labels = labels.copy()
    for label in random.permutation(np.setdiff1d(labels, 0)):
        if enough(labels):
            break
        labels[labels == label] = 0
    return relabeled(labels)


def crowd(labels: Labels, enough: Callable[[Labels], bool], random: np.random.Generator) -> Labels:
    """Add turned and mirrored copies of objects in free places, until there are enough, or no place is found."""
    labels = labels.copy()
    whole = np.setdiff1d(clear_border(labels), 0)
    donors = whole if len(whole) else np.setdiff1d(labels, 0)
    boxes = ndimage.find_objects(labels)
    shapes = [labels[boxes[label - 1]] == label for label in donors]
    while shapes and not enough(labels):
        if not _add(labels, shapes, random):
            break
    return relabeled(labels)


def _add(labels: Labels, shapes: list[NDArray[np.bool_]], random: np.random.Generator) -> bool:
    """Lay one object into a free place, in place; False where none was found."""
    for _ in range(TRIES):
        shape, quarters = shapes[random.integers(len(shapes))], int(random.integers(4))
        shape = turned(shape, quarters + 4 * (random.random() < 0.5))
        room = [side - own for side, own in zip(labels.shape, shape.shape, strict=True)]
        if min(room) < 0:
            continue
        top, left = (int(random.integers(each + 1)) for each in room)
        there = labels[top : top + shape.shape[0], left : left + shape.shape[1]]
        if not there[shape].any():
            there[shape] = int(labels.max()) + 1
            return True
    return False


def turned(planes: NDArray, symmetry: int) -> NDArray:
    """Turn planes (..., H, W) by `symmetry` % 4 quarters, and mirror them from 4 on: 0 to 7 are all of the square's."""
    rotated = np.rot90(planes, symmetry % 4, (-2, -1))
    return np.ascontiguousarray(rotated[..., ::-1] if symmetry >= 4 else rotated)


def covered(labels: Labels) -> int:
    """Count the pixels in objects."""
    return int(np.count_nonzero(labels))


def count_objects(labels: Labels) -> int:
    """Count the objects of a layout."""
    return len(np.setdiff1d(labels, 0))


def relabeled(labels: NDArray[np.integer]) -> Labels:
    """Give the objects the numbers 1..n."""
    return np.asarray(relabel_sequential(labels)[0], np.int32)
