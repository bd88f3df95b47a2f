"""Several decoders brought to agreement: the objects that most of them find."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from fewstain.evaluate.matching import label_overlap
from fewstain.pixels.decode import DecoderParameters, decode

Maps = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]

LEAST_FREE = 0.7  # share of an object's pixels that better ones must have left to it

# Of 0.5, 0.6 and 0.7, with 5, 7 and 10 decoders, the AP50 on further windows differed by less than 0.02.
LEAST_AGREEMENT = 0.6


@dataclass(frozen=True)
class Consensus:
    """A decoder made of several.

    Two dozen labeled windows can't tell the best parameters from the next best, which may be wrong elsewhere, each in
    its own way. An object that most of them find is rarely wrong.

    Attributes
    ----------
    decoders
        Parameter sets, the best first.
    least_agreement
        Objects of less agreement are dropped, [0, 1].
    sources
        Of each set, which model's maps it decodes, counted from 0; empty where there is one model only.
    """

    decoders: tuple[DecoderParameters, ...]
    least_agreement: float = LEAST_AGREEMENT
    sources: tuple[int, ...] = ()

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Consensus:
        """Read what `dataclasses.asdict` gave."""
        decoders = tuple(DecoderParameters(**each) for each in values["decoders"])
        if not decoders:
            raise ValueError("no decoders")
        return cls(decoders, float(values["least_agreement"]), tuple(int(each) for each in values.get("sources", ())))

    @property
    def max_radius(self) -> float:
        """Largest radius an object of this stain has, pixels."""
        return max(each.max_radius for each in self.decoders)

    @property
    def min_area(self) -> float:
        """Area that the smallest object kept may have, pixels."""
        return min(each.min_area for each in self.decoders)

    def decode(self, maps: Sequence[Maps]) -> AgreedObjects:
        """Decode each model's maps with its own parameter sets, and keep what all of them agree on.

        Parameters
        ----------
        maps
            Of each model: foreground, boundary and distance, (H, W) each, as `decode` takes them.
        """
        sources = self.sources or (0,) * len(self.decoders)
        found = [decode(*maps[source], each) for source, each in zip(sources, self.decoders, strict=True)]
        return agree(found, self.least_agreement)


@dataclass(frozen=True)
class AgreedObjects:
    """What several segmentations of an image agree on.

    Attributes
    ----------
    labels
        (H, W) int32 labels 1..n, 0 = background, those of the highest agreement first.
    agreement
        (n,) float64 of each object, see `agreements`.
    """

    labels: NDArray[np.int32]
    agreement: NDArray[np.float64]


def agree(segmentations: Sequence[NDArray[np.int32]], least_agreement: float = LEAST_AGREEMENT) -> AgreedObjects:
    """Take objects from several segmentations of an image, the most agreed on first, where none lies yet.

    Parameters
    ----------
    segmentations
        (H, W) labels 1..n, 0 = background. Of objects equally agreed on, those of an earlier one are taken.
    least_agreement
        Of an object that is kept, [0, 1].
    """
    found = [
        (-value, number, label, box)
        for number, (labels, values) in enumerate(zip(segmentations, agreements(segmentations), strict=True))
        for label, (value, box) in enumerate(zip(values, ndimage.find_objects(labels), strict=True), start=1)
        if value >= least_agreement
    ]
    agreed = np.zeros(segmentations[0].shape, np.int32)
    kept: list[float] = []
    for negative, number, label, box in sorted(found, key=lambda each: each[:3]):
        inside = segmentations[number][box] == label
        free = inside & (agreed[box] == 0)
        if np.count_nonzero(free) > LEAST_FREE * np.count_nonzero(inside):
            kept.append(-negative)
            agreed[box][free] = len(kept)
    return AgreedObjects(agreed, np.array(kept))


def agreements(segmentations: Sequence[NDArray[np.int32]]) -> list[NDArray[np.float64]]:
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
    totals = [np.ones(int(labels.max(initial=0)) + 1) for labels in segmentations]
    for first, second in combinations(range(len(segmentations)), 2):
        overlap = label_overlap(segmentations[first], segmentations[second])
        objects, ious = overlap.foreground(), overlap.ious()
        for number, labels in (
            (first, overlap.truth_labels[overlap.truth_index]),
            (second, overlap.predicted_labels[overlap.predicted_index]),
        ):
            best = np.zeros_like(totals[number])
            np.maximum.at(best, labels[objects], ious[objects])
            totals[number] += best
    return [total[1:] / len(segmentations) for total in totals]
