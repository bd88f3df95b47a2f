"""How far counted objects are from true counts: bias, limits of agreement, and the relative bias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

DRAWS = 1000
"""Bootstrap samples behind an interval: its ends then move by a few per cent of its width with the seed."""


class CountAgreement(NamedTuple):
    """Mean of predicted − true objects an image, and the limits that 95 % of the differences lie between.

    Either is None where there are too few images for it (none; fewer than two).
    """

    bias: float | None
    limits_95: tuple[float, float] | None


class RelativeBias(NamedTuple):
    """Predicted over true objects of all images, − 1, and its 95 % interval.

    Either is None where there is too little for it: no true objects; fewer than two images.
    """

    bias: float | None
    interval_95: tuple[float, float] | None


def count_agreement(predicted: Sequence[int], true: Sequence[int]) -> CountAgreement:
    """Agreement of two counts of the same images: bias ± 1.96 standard deviations of the differences.

    Bland & Altman, Statistical methods for assessing agreement between two methods of clinical measurement,
    Lancet 1986. The standard deviation is the sample's (n − 1).

    Raises
    ------
    ValueError
        When the two are of different length.
    """
    _check_lengths(predicted, true)
    differences = np.subtract(predicted, true, dtype=float)
    if not len(differences):
        return CountAgreement(None, None)
    bias = float(differences.mean())
    if len(differences) == 1:
        return CountAgreement(bias, None)
    spread = 1.96 * float(differences.std(ddof=1))
    return CountAgreement(bias, (bias - spread, bias + spread))


def relative_bias(predicted: Sequence[int], true: Sequence[int]) -> RelativeBias:
    """How much more objects are predicted than there are, as a share: it does not depend on how large the images are.

    The interval is from the 2.5th to the 97.5th percentile of `DRAWS` bootstrap samples of images (seed 0), each image
    drawn as a whole and taken as independent of the others; samples without a true object are left out.

    Raises
    ------
    ValueError
        When the two are of different length.
    """
    _check_lengths(predicted, true)
    counts = np.array([predicted, true], np.int64)
    if not counts[1].sum():
        return RelativeBias(None, None)
    bias = float(counts[0].sum() / counts[1].sum() - 1)
    if counts.shape[1] < 2:
        return RelativeBias(bias, None)
    random = np.random.default_rng(0)
    samples = (random.integers(counts.shape[1], size=counts.shape[1]) for _ in range(DRAWS))
    found, there = np.array([counts[:, sample].sum(1) for sample in samples]).T
    low, high = np.percentile(found[there > 0] / there[there > 0] - 1, (2.5, 97.5))
    return RelativeBias(bias, (float(low), float(high)))


def _check_lengths(predicted: Sequence[int], true: Sequence[int]) -> None:
    if len(predicted) != len(true):
        raise ValueError(f"{len(predicted)} predicted counts for {len(true)} true ones")
