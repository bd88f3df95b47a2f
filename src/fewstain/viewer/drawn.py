"""What is likely wrong with labels somebody has just drawn, and how most of it is mended."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected_components
from skimage.measure import regionprops

from fewstain.check.numbering import instances_in_pieces

SPECK = 0.02
"""Share of the median object's area below which an object or piece is taken for a slip of the brush.

Of 8,025 nuclei and cells that people drew on five stains, 0 to 0.2 % of a stain's objects are so small.
"""
FULL = 0.95
"""Share of a window from which labeled pixels look as if the background had been forgotten."""
MISSED = 0.5
"""Share of a guessed object that lies on background for it to count as not labeled."""


@dataclass(frozen=True)
class Finding:
    """One kind of doubt about a label image: the sentence a person reads, and whether `mend` settles it."""

    message: str
    mendable: bool = False


def look_over(labels: NDArray[np.integer], guess: NDArray[np.integer] | None = None) -> list[Finding]:
    """Find what is likely a slip; nothing here keeps labels from being saved.

    Parameters
    ----------
    labels : (H, W) integers
        As drawn, 0 = background.
    guess : (H, W) integers, optional
        Objects of the last run's mask in the same window.

    Returns
    -------
    list of Finding
        Objects in several pieces, specks, holes, no background left, fewer than two objects, and objects of the guess
        that lie on background; empty when there is nothing to say.
    """
    findings = []
    if pieces := instances_in_pieces(labels):
        findings.append(Finding(f"{_objects(pieces)} in several pieces", mendable=True))
    if specks := _specks(labels):
        findings.append(Finding(f"{_objects(specks)} only a speck", mendable=True))
    if holed := [int(region.label) for region in regionprops(labels) if _hole(region, labels).any()]:
        findings.append(Finding(f"{_objects(holed)} with a hole", mendable=True))
    if labels.size and (labels > 0).mean() >= FULL:
        findings.append(Finding("hardly any background is left: what lies between the objects is 0, not an object"))
    if len(np.unique(labels[labels > 0])) < 2:
        findings.append(Finding("fewer than two objects: choose windows with at least two, whole ones if possible"))
    if guess is not None and (missed := missed_objects(labels, guess)):
        noun = "an object" if len(missed) == 1 else f"{len(missed)} objects"
        findings.append(Finding(f"the model sees {noun} where you left background"))
    return findings


def mend(labels: NDArray[np.integer]) -> NDArray[np.int32]:
    """Remove specks, fill holes, and give every further piece of an object a number of its own.

    Parameters
    ----------
    labels : (H, W) integers, 0 = background

    Returns
    -------
    (H, W) int32
        The largest piece keeps the object's number; new numbers follow the largest there is. Pixels of other objects
        are never changed.
    """
    mended = labels.astype(np.int32)
    least = _speck_area(mended)
    following = int(mended.max(initial=0)) + 1
    parts = connected_components(mended, background=0, connectivity=2)
    pieces = sorted(regionprops(parts), key=lambda region: region.area, reverse=True)
    seen: set[int] = set()
    for piece in pieces:
        place = mended[piece.slice]
        owner = int(place[piece.image][0])
        if piece.area < least:
            place[piece.image] = 0
        elif owner in seen:
            place[piece.image] = following
            following += 1
        seen.add(owner)
    for region in regionprops(mended):
        mended[region.slice][_hole(region, mended)] = region.label
    return mended


def missed_objects(labels: NDArray[np.integer], guess: NDArray[np.integer]) -> list[int]:
    """Name the guess's objects of which more than half lies on background, specks left out."""
    found = regionprops(guess)
    least = _speck_area(guess)
    return [
        int(region.label)
        for region in found
        if region.area >= max(least, 1) and (labels[region.slice][region.image] == 0).mean() > MISSED
    ]


def _specks(labels: NDArray[np.integer]) -> list[int]:
    least = _speck_area(labels)
    return [int(region.label) for region in regionprops(labels) if region.area < least]


def _speck_area(labels: NDArray[np.integer]) -> float:
    areas = np.bincount(labels.ravel())[1:] if labels.size else np.zeros(0, int)
    areas = areas[areas > 0]
    return float(SPECK * np.median(areas)) if len(areas) else 0.0


def _hole(region: Any, labels: NDArray[np.integer]) -> NDArray[np.bool_]:
    """Background that an object encloses, in its box; an object inside another one is no hole of it."""
    filled: NDArray[np.bool_] = ndimage.binary_fill_holes(region.image)
    return filled & ~region.image & (labels[region.slice] == 0)


def _objects(values: list[int]) -> str:
    shown = ", ".join(str(value) for value in values[:5])
    more = f" and {len(values) - 5} more" if len(values) > 5 else ""
    return f"object{'s' if len(values) > 1 else ''} {shown}{more}"
