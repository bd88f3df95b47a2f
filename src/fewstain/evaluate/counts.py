"""How far counted objects are from true counts: bias and limits of agreement."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np


class CountAgreement(NamedTuple):
    """Mean of predicted − true objects an image, and the limits that 95 % of the differences lie between.

    Either is None where there are too few images for it (none; fewer than two).
    """

    bias: float | None
    limits_95: tuple[float, float] | None


def count_agreement(predicted: Sequence[int], true: Sequence[int]) -> CountAgreement:
    """Agreement of two counts of the same images: bias ± 1.96 standard deviations of the differences.

    Bland & Altman, Statistical methods for assessing agreement between two methods of clinical measurement,
    Lancet 1986. The standard deviation is the sample's (n − 1).

    Raises
    ------
    ValueError
        When the two are of different length.
    """
    if len(predicted) != len(true):
        raise ValueError(f"{len(predicted)} predicted counts for {len(true)} true ones")
    differences = np.subtract(predicted, true, dtype=float)
    if not len(differences):
        return CountAgreement(None, None)
    bias = float(differences.mean())
    if len(differences) == 1:
        return CountAgreement(bias, None)
    spread = 1.96 * float(differences.std(ddof=1))
    return CountAgreement(bias, (bias - spread, bias + spread))
