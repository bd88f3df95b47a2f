"""Which pairs are kept, and why the others are not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from fewstain.errors import UserError
from fewstain.pairs.scores import PairScores

EMPTY, ODD_OBJECTS, COVERED, COPY = "no objects", "implausible objects", "covered", "memorised copy"
UNREAL, DISAGREEMENT, UNCERTAIN = "unlike the pool", "layout agreement", "uncertainty"


@dataclass(frozen=True)
class Limits:
    """What a pair must keep to.

    Attributes
    ----------
    plausible
        Least share of plausible objects.
    covered
        Largest share of the image that objects may cover.
    copy
        Largest correlation with a place of the pool.
    distance
        Largest distance to the pool.
    agreement
        Least panoptic quality of the layout, segmented again.
    keep
        Share of the pairs left by the other filters that is kept, the least uncertain.
    """

    plausible: float = 0.8
    covered: float = 1.0
    copy: float = 1.0
    distance: float = math.inf
    agreement: float = 0.0
    keep: float = 1.0


def choose(scores: Sequence[PairScores], limits: Limits) -> list[str]:
    """Say of each pair why it is dropped, "" of those kept.

    Of n pairs that pass the other filters, the ceil(keep n) least uncertain are kept, so of one pair that one. A score
    that could not be taken drops nothing.
    """
    why = [first_fault(each, limits) for each in scores]
    rated = [
        (uncertainty, number)
        for number, uncertainty in enumerate(each.uncertainty for each in scores)
        if not why[number] and uncertainty is not None
    ]
    for _, number in sorted(rated)[math.ceil(limits.keep * len(rated)) :]:
        why[number] = UNCERTAIN
    return why


def first_fault(scores: PairScores, limits: Limits) -> str:
    """Name the first filter that a pair does not pass by itself; "" where it passes all."""
    if scores.objects == 0:
        return EMPTY
    if scores.plausible < limits.plausible:
        return ODD_OBJECTS
    if scores.covered > limits.covered:
        return COVERED
    if scores.copy is not None and scores.copy > limits.copy:
        return COPY
    if scores.distance is not None and scores.distance > limits.distance:
        return UNREAL
    if scores.agreement is not None and scores.agreement < limits.agreement:
        return DISAGREEMENT
    return ""


def check_some_kept(why: Sequence[str], scores: Sequence[PairScores], limits: Limits) -> None:
    """Raise UserError where no pair is kept, saying which filters dropped how many."""
    if not all(why):
        return
    remedies = {
        EMPTY: "look at the masks that layouts were learned from",
        ODD_OBJECTS: "train the layouts longer",
        COVERED: "ask for less crowding, or train the layouts longer",
        COPY: "train on more images",
        UNREAL: "train the painter longer, or allow more with --max-distance",
        DISAGREEMENT: "train the painter longer, or allow less with --min-agreement",
        UNCERTAIN: "raise --keep",
    }
    counts = Counter(why)
    told = ", ".join(f"{count} by {name}" for name, count in counts.most_common())
    best = max((each.agreement for each in scores if each.agreement is not None), default=None)
    agreed = (
        f" (the best agreement is {best:.2f}, the least allowed {limits.agreement:.2f})" if best is not None else ""
    )
    worst = counts.most_common(1)[0][0]
    raise UserError(f"none of {len(why)} pairs is kept: {told} dropped{agreed}; {remedies[worst]}")
