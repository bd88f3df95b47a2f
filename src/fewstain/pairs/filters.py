"""Which pairs are kept, and why the others are not."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from fewstain.errors import UserError
from fewstain.pair_settings import PairKind

if TYPE_CHECKING:
    from fewstain.pairs.scores import PairScores

EMPTY, ODD_OBJECTS, COVERED, COPY = "no objects", "implausible objects", "covered", "memorised copy"
UNREAL, DISAGREEMENT, UNCERTAIN = "unlike the pool", "layout agreement", "uncertainty"

# What helps where a filter drops all pairs. What is not listed cannot: no agreement is asked of images that came first,
# and labels that somebody drew may cover what they like.
ALWAYS = {
    COPY: "train on more images",
    UNREAL: "train longer, or allow more with --max-distance",
    UNCERTAIN: "raise --keep",
}
REMEDIES = {
    PairKind.layout: ALWAYS
    | {
        EMPTY: "look at the masks that layouts were learned from",
        ODD_OBJECTS: "train the layouts longer",
        COVERED: "ask for less crowding, or train the layouts longer",
        UNREAL: "train the painter longer, or allow more with --max-distance",
        DISAGREEMENT: "train the painter longer, or allow less with --min-agreement",
    },
    PairKind.image: ALWAYS
    | dict.fromkeys((EMPTY, ODD_OBJECTS, COVERED), "train longer, or label more windows and run fit-pixels again"),
    PairKind.edit: ALWAYS
    | {
        EMPTY: "look at the labels in the folder that --from names",
        ODD_OBJECTS: "give each object in the folder that --from names a label of its own",
        COPY: "raise --strength",
        UNREAL: "raise --strength, or allow more with --max-distance",
        DISAGREEMENT: "lower --strength, or allow less with --min-agreement",
    },
}
DRAWN = {  # of layouts, where the user gave them
    EMPTY: "look at the label images that --layouts names",
    ODD_OBJECTS: "give each object in the label images that --layouts names a label of its own",
}


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
    if is_copy(scores, limits):
        return COPY
    if scores.distance is not None and scores.distance > limits.distance:
        return UNREAL
    if scores.agreement is not None and scores.agreement < limits.agreement:
        return DISAGREEMENT
    return ""


def is_copy(scores: PairScores, limits: Limits) -> bool:
    """Whether an image is a copy of a place of the pool, whatever else is the matter with the pair."""
    return scores.copy is not None and scores.copy > limits.copy


def check_some_kept(
    why: Sequence[str], scores: Sequence[PairScores], limits: Limits, kind: PairKind, *, drawn: bool = False
) -> None:
    """Raise UserError where no pair is kept, saying which filters dropped how many, and what helps.

    Parameters
    ----------
    why
        Of each pair, as `choose` says it.
    kind
        What was made first.
    drawn
        Whether the user gave the layouts.
    """
    if not all(why):
        return
    remedies = REMEDIES[kind] | (DRAWN if drawn else {})
    counts = Counter(why)
    told = ", ".join(f"{count} by {name}" for name, count in counts.most_common())
    agreed = ""
    if DISAGREEMENT in counts:
        refused = [each.agreement for each, fault in zip(scores, why, strict=True) if fault == DISAGREEMENT]
        best = max(agreement for agreement in refused if agreement is not None)
        agreed = f" (the best agreement of these is {best:.2f}, the least allowed {limits.agreement:.2f})"
    worst = counts.most_common(1)[0][0]
    raise UserError(f"none of {len(why)} pairs is kept: {told} dropped{agreed}; {remedies[worst]}")
