"""From several decoders' segmentations of an image to one: the objects most likely right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fewstain.evaluate.matching import best_ious
from fewstain.pixels.decode import DecoderParameters, decode_each
from fewstain.pixels.object_score import Describer, Maps, ObjectScore
from fewstain.pixels.threads import in_threads

LEAST_FREE = 0.7  # share of an object's pixels that better ones must have left to it

# Of 0.5, 0.6 and 0.7, with 5, 7 and 10 decoders, the AP50 on further windows differed by less than 0.02.
LEAST_AGREEMENT = 0.6

# An object that is right with a chance of p raises an AP50 of J if p > J / (1 + J): 0.33 for 0.5, 0.44 for 0.8. On
# images of two pools AP50 is flat from 0.2 to 0.4 (within 0.006); the lower, the fewer are missing from the counts.
LEAST_CHANCE = 0.3


@dataclass(frozen=True)
class Consensus:
    """A decoder made of several.

    Two dozen labeled windows can't tell the best parameters from the next best, which may be wrong elsewhere, each in
    its own way. So each of several proposes its objects, and of those that overlap the likeliest is taken: the one that
    has turned out right most often, by its shape, its maps and by how far the decoders agree on it, on windows that
    were held out. It is the choice among candidate regions of Arteta et al. (MICCAI 2012), with watersheds for regions.

    Attributes
    ----------
    decoders
        Parameter sets, the best first.
    score
        Chance that an object is right. None where the labels are too few to learn it: the agreement takes its place.
    least_chance
        Chance of an object that is kept; without a score it takes no part.
    """

    decoders: tuple[DecoderParameters, ...]
    score: ObjectScore | None = None
    least_chance: float = LEAST_CHANCE

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Consensus:
        """Read what `dataclasses.asdict` gave."""
        decoders = tuple(DecoderParameters(**each) for each in values["decoders"])
        if not decoders:
            raise ValueError("no decoders")
        if any(values.get("sources", ())):
            raise ValueError("decoders of two models' maps, as earlier versions had them")
        score = values["score"]
        # earlier versions had but one least chance, and did not write it
        least = float(values.get("least_chance", LEAST_CHANCE))
        return cls(decoders, None if score is None else ObjectScore.from_dict(score), least)

    @property
    def max_radius(self) -> float:
        """Largest radius an object of this stain has, pixels."""
        return max(each.max_radius for each in self.decoders)

    @property
    def min_area(self) -> float:
        """Area that the smallest object kept may have, pixels."""
        return min(each.min_area for each in self.decoders)

    def decode(self, maps: Maps) -> FoundObjects:
        """Decode with each parameter set, and keep the likeliest of all objects.

        Parameters
        ----------
        maps
            Foreground, boundary and distance, (H, W) each, as `decode` takes them.
        """
        proposed = self.propose(maps)
        agreement = agreements(proposed)
        if self.score is None:
            return likeliest(proposed, agreement, LEAST_AGREEMENT)
        describe = Describer(maps)
        chances = [
            self.score(np.column_stack([own, describe(labels)]))
            for labels, own in zip(proposed, agreement, strict=True)
        ]
        return likeliest(proposed, chances, self.least_chance)

    def propose(self, maps: Maps) -> list[NDArray[np.int32]]:
        """Decode with each parameter set by itself: (H, W) labels of each."""
        groups: dict[float, list[int]] = {}  # decoders of the same components, which are found once
        for number, decoder in enumerate(self.decoders):
            groups.setdefault(decoder.foreground_threshold, []).append(number)

        def decoded(numbers: list[int]) -> list[NDArray[np.int32]]:
            return decode_each(*maps, [self.decoders[number] for number in numbers])

        found = in_threads(decoded, groups.values())
        by_number = dict(zip(chain(*groups.values()), chain(*found), strict=True))
        return [by_number[number] for number in range(len(self.decoders))]


@dataclass(frozen=True)
class FoundObjects:
    """The objects of an image.

    Attributes
    ----------
    labels
        (H, W) int32 labels 1..n, 0 = background, the likeliest first.
    confidence
        (n,) float64 of each object in [0, 1]: the chance that it is right, or without a score the decoders' agreement.
    """

    labels: NDArray[np.int32]
    confidence: NDArray[np.float64]


def likeliest(
    segmentations: Sequence[NDArray[np.int32]], confidences: Sequence[NDArray[np.float64]], least: float
) -> FoundObjects:
    """Take objects from several segmentations of an image, the most confident first, where none lies yet.

    Of one that others have cut in pieces, the largest is kept.

    Parameters
    ----------
    segmentations
        (H, W) labels 1..n, 0 = background. Of equally confident objects, those of an earlier one are taken.
    confidences
        Of each segmentation, (n,).
    least
        Confidence of an object that is kept.
    """
    found = [
        (-value, number, label, box)
        for number, (labels, values) in enumerate(zip(segmentations, confidences, strict=True))
        for label, (value, box) in enumerate(zip(values, ndimage.find_objects(labels), strict=True), start=1)
        if value >= least
    ]
    taken = np.zeros(segmentations[0].shape, np.int32)
    kept: list[float] = []
    for negative, number, label, box in sorted(found, key=lambda each: each[:3]):
        inside = segmentations[number][box] == label
        free = inside & (taken[box] == 0)
        left, area = np.count_nonzero(free), np.count_nonzero(inside)
        if left > LEAST_FREE * area:
            kept.append(-negative)
            taken[box][free if left == area else largest_piece(free)] = len(kept)
    return FoundObjects(taken, np.array(kept))


def largest_piece(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Keep the largest of the connected pieces of an object (h, w), so that it stays in one."""
    pieces, count = ndimage.label(inside)
    return inside if count < 2 else pieces == np.bincount(pieces[inside]).argmax()


def agreements(segmentations: Sequence[NDArray[np.integer]]) -> list[NDArray[np.float64]]:
    """Say how far the segmentations agree on each object.

    Parameters
    ----------
    segmentations
        (H, W) labels 1..n, 0 = background.

    Returns
    -------
    list of ndarray
        Of each segmentation, (n,) in [0, 1]: the IoU of an object with the object most like it, averaged over all
        segmentations, its own (1) included.
    """
    totals = [np.ones(int(labels.max(initial=0))) for labels in segmentations]
    for first, second in combinations(range(len(segmentations)), 2):
        for number, best in zip((first, second), best_ious(segmentations[first], segmentations[second]), strict=True):
            totals[number] += best
    return [total / len(segmentations) for total in totals]
