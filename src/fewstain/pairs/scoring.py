"""Taking the scores of pairs, with whatever there is to take them: a fitted model, the pool, facts about layouts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fewstain.pairs.arrange import count_objects
from fewstain.pairs.layouts import LayoutFacts
from fewstain.pairs.likeness import Likeness
from fewstain.pairs.scores import PairScores, covered_share, mean_uncertainty, panoptic_quality, sane_share
from fewstain.pixels.model import Model, Segmentation


@dataclass(frozen=True)
class Scorer:
    """Scores pairs.

    Attributes
    ----------
    model
        The fitted model of the stain; None where it has no labels yet.
    likeness
        The pool.
    facts
        What layouts of the stain look like; None where that is not known.
    """

    model: Model | None = None
    likeness: Likeness | None = None
    facts: LayoutFacts | None = None

    def score(self, image: Tensor, pixels: NDArray, labels: NDArray[np.int32]) -> PairScores:
        """Score a pair whose labels are known.

        Parameters
        ----------
        image
            (C, H, W) in [-1, 1], as it was painted.
        pixels
            (H, W, C) the same as it goes into a file.
        labels
            (H, W), 0 = background.
        """
        if self.model is None:
            return self._scored(image, labels, None, None)
        found = self.model.segment(pixels)
        agreement = panoptic_quality(labels, found.labels)
        return self._scored(image, labels, agreement, mean_uncertainty(found.uncertainty, labels))

    def label(self, image: Tensor, pixels: NDArray) -> tuple[NDArray[np.int32], PairScores]:
        """Label an image by the model, which there has to be, and score the pair."""
        assert self.model is not None, "without a model nothing can be labeled"
        found: Segmentation = self.model.segment(pixels)
        agreement = float(np.mean(list(found.object_confidence.values()))) if found.object_confidence else None
        scores = self._scored(image, found.labels, agreement, mean_uncertainty(found.uncertainty, found.labels))
        return found.labels, scores

    def _scored(
        self, image: Tensor, labels: NDArray[np.int32], agreement: float | None, uncertainty: float | None
    ) -> PairScores:
        return PairScores(
            objects=count_objects(labels),
            covered=covered_share(labels),
            plausible=sane_share(labels, self.facts),
            agreement=agreement,
            uncertainty=uncertainty,
            distance=self.likeness.distance(image) if self.likeness is not None else None,
            copy=self.likeness.copy(image) if self.likeness is not None else None,
        )
