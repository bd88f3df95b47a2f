"""What is known of each pair, kept or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import label as connected

from fewstain.evaluate.matching import match
from fewstain.pairs.layouts import LayoutFacts

MARGIN = 2  # pixels around objects whose uncertainty counts as well
SPARE = 1.5  # an object may be this much larger or smaller than nearly all that were seen


@dataclass(frozen=True)
class PairScores:
    """Scores of one pair; None where there was nothing to take one with.

    Attributes
    ----------
    objects
        How many its labels have.
    covered
        Share of the image that they cover.
    plausible
        Share of the objects that are in one piece and no larger than objects seen, nor, off the edge, smaller.
    agreement
        Panoptic quality of the model's objects in the image against the labels; of pairs whose labels are the model's
        own, the mean chance that its objects are right (`confidence`).
    uncertainty
        Of the model in and around the objects, mean, nats.
    distance
        From the image to the nearest crop of the pool, in units of what real crops have to others; see `Likeness`.
    copy
        Largest correlation with any place of an image of the pool, 1 for a copy.
    """

    objects: int
    covered: float
    plausible: float
    agreement: float | None = None
    uncertainty: float | None = None
    distance: float | None = None
    copy: float | None = None


def panoptic_quality(labels: NDArray[np.integer], found: NDArray[np.integer]) -> float:
    """Panoptic quality (Kirillov et al., CVPR 2019) at IoU 0.5; 1 where neither has an object.

    Objects cut by the edge are left out, unless there are no others.

    Parameters
    ----------
    labels, found
        (H, W), 0 = background.
    """
    for ignore_edge in (True, False):
        matched = match(labels, found, 0.5, ignore_edge=ignore_edge)
        counted = matched.tp + (matched.fp + matched.fn) / 2
        if counted:
            return float(matched.ious.sum() / counted)
    return 1.0


def sane_share(labels: NDArray[np.integer], facts: LayoutFacts | None) -> float:
    """Share of objects, (H, W) labels, in one piece and of a size that was seen; 1 where there is no object.

    Without facts any size will do. Objects that the edge cuts may be small.
    """
    pieces = connected(labels, connectivity=2)
    areas = np.bincount(labels.ravel())
    present = np.flatnonzero(areas)
    present = present[present > 0]
    if not len(present):
        return 1.0
    owner = np.zeros(int(pieces.max()) + 1, int)
    owner[pieces.ravel()] = labels.ravel()
    n_pieces = np.bincount(owner[1:], minlength=len(areas))[present]
    edge = np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])
    cut = np.isin(present, edge)
    smallest, largest = (facts.smallest / SPARE, facts.largest * SPARE) if facts is not None else (1.0, np.inf)
    sized = (areas[present] <= largest) & (cut | (areas[present] >= smallest))
    return float(np.mean(sized & (n_pieces == 1)))


def mean_uncertainty(uncertainty: NDArray[np.floating], labels: NDArray[np.integer]) -> float:
    """Mean uncertainty (H, W) in and around objects, for empty ground would hide that of the few objects in it."""
    near = ndimage.binary_dilation(labels > 0, iterations=MARGIN)
    return float(uncertainty[near].mean(dtype=np.float64) if near.any() else uncertainty.mean(dtype=np.float64))


def covered_share(labels: NDArray[np.integer]) -> float:
    """Share of pixels in objects."""
    return float(np.count_nonzero(labels) / labels.size)
