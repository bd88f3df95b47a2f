"""Outlines of objects -> a label image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from skimage.draw import polygon


@dataclass(frozen=True)
class Outline:
    """One object: rings of (x, y) points combined by even-odd rule, so that a ring inside another is a hole.

    Coordinates are in pixels with (0, 0) at the outer corner of the top-left pixel, as ImageJ and QuPath have them.
    """

    rings: tuple[np.ndarray, ...]
    kind: str | None = None


@dataclass(frozen=True)
class Drawn:
    """A label image, the class of each label that has one, and what to tell the user.

    `covered` objects are not in it, for earlier ones have all of their pixels, nor are `outside` ones, which have no
    pixel in the image. `renumbered` is whether the labels are new, so that what was known of label 1 may be of another
    object.
    """

    labels: np.ndarray
    classes: dict[int, str]
    notes: tuple[str, ...] = ()
    covered: int = 0
    outside: int = 0
    renumbered: bool = True


def draw(outlines: Sequence[Outline], shape: tuple[int, int]) -> Drawn:
    """Draw outlines one after another; a pixel belongs to the first object that its centre lies in.

    Parameters
    ----------
    outlines : sequence of Outline
    shape : (H, W)
        Of the image; what lies outside is cut off.

    Returns
    -------
    Drawn
        labels (H, W) int32, numbered 1..n without gaps; notes tell overlaps and objects without a pixel.
    """
    labels = np.zeros(shape, np.int32)
    classes: dict[int, str] = {}
    overlapping = covered = outside = contested = label = 0
    for outline in outlines:
        rows, columns = _pixels(outline, shape)
        free = labels[rows, columns] == 0
        if not free.all():
            overlapping += 1
            contested += int((~free).sum())
        if not free.any():
            covered += bool(len(rows))
            outside += not len(rows)
            continue
        label += 1
        labels[rows[free], columns[free]] = label
        if outline.kind:
            classes[label] = outline.kind
    notes = []
    if overlapping:
        notes.append(f"{overlapping} objects overlap earlier ones by {contested} pixels in all, which the earlier keep")
    if covered + outside:
        notes.append(f"{covered + outside} objects have no pixel of their own inside the image and are left out")
    return Drawn(labels, classes, tuple(notes), covered, outside)


def _pixels(outline: Outline, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels whose centres lie inside an odd number of rings."""
    rings = [np.asarray(ring, np.float64) - 0.5 for ring in outline.rings if len(ring) >= 3]
    if not rings:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    corners = np.concatenate(rings)
    left, top = np.clip(np.floor(corners.min(axis=0)), 0, None).astype(int)
    right, bottom = np.minimum(np.ceil(corners.max(axis=0)).astype(int) + 1, (shape[1], shape[0]))
    if right <= left or bottom <= top:
        return np.empty(0, np.intp), np.empty(0, np.intp)
    inside = np.zeros((bottom - top, right - left), bool)
    for ring in rings:
        inside[polygon(ring[:, 1] - top, ring[:, 0] - left, inside.shape)] ^= True
    rows, columns = np.nonzero(inside)
    return rows + top, columns + left
