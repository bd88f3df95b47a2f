"""Limits that pairs must keep to, chosen by what the labels and the real images say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from fewstain.dataset import Dataset, Window
from fewstain.images.read import read_image, read_labels
from fewstain.pairs.filters import Limits
from fewstain.pairs.layouts import LayoutFacts
from fewstain.pairs.likeness import Likeness
from fewstain.pairs.scores import SPARE, panoptic_quality
from fewstain.pixels.model import Model

WORST = 0.25  # quantile of real windows' panoptic quality that a pair must reach
FAR = 3.0  # times the distance that 19 of 20 real crops stay below
IMAGE_KEEP = 0.5  # share kept of image-first pairs; where labels are exact, their agreement decides
LEAST_COPY = 0.9  # correlation below which nothing is called a copy


@dataclass(frozen=True)
class Asked:
    """Limits that the user gave; None for those to be chosen."""

    agreement: float | None = None
    distance: float | None = None
    keep: float | None = None


def choose_limits(
    asked: Asked,
    *,
    model: Model | None,
    dataset: Dataset | None,
    likeness: Likeness | None,
    facts: LayoutFacts | None,
    layout: bool,
) -> Limits:
    """Choose the limits.

    Parameters
    ----------
    asked
        What the user gave.
    model, dataset
        The fitted model and the labels, the first of which it has learned from, for the agreement; None where there is
        none.
    likeness
        The pool, for copies and distances.
    facts
        What layouts look like, for the share that objects may cover; None where any share will do.
    layout
        Whether labels were there before the images, so that there is an agreement to ask for.
    """
    agreement = asked.agreement
    if agreement is None:
        windows = dataset.windows[: model.record.n_labels] if layout and model and dataset else ()
        agreement = agreement_limit(model, windows) if model and windows else 0.0
    distance = asked.distance
    if distance is None:
        distance = FAR * likeness.typical_distance() if likeness is not None else float("inf")
    copy = max(LEAST_COPY, (1 + likeness.typical_copy()) / 2) if likeness is not None else 1.0
    covered = min(1.0, SPARE * facts.most_covered) if facts is not None else 1.0
    keep = asked.keep if asked.keep is not None else 1.0 if layout else IMAGE_KEEP
    return Limits(covered=covered, copy=copy, distance=distance, agreement=agreement, keep=keep)


def agreement_limit(model: Model, windows: Sequence[Window]) -> float:
    """Panoptic quality that segmenting a painted image must reach: that of the worse quarter of real, labeled windows.

    The model has learned from these windows, and so segments them too well: the quantile is lowered by what its score
    falls from there to out-of-fold, where it has not.

    Parameters
    ----------
    windows
        Those that the model has learned from, at least one.
    """
    found = np.array([_quality(model, window) for window in windows])
    unseen = model.record.out_of_fold.get("PQ")
    seen = float(found.mean())
    ratio = min(1.0, float(unseen) / seen) if unseen is not None and seen > 0 else 1.0
    return float(np.quantile(found, WORST) * ratio)


def _quality(model: Model, window: Window) -> float:
    labels = read_labels(window.labels)
    height, width = labels.shape
    pixels = read_image(window.image).pixels[window.y : window.y + height, window.x : window.x + width]
    return panoptic_quality(labels, model.segment(pixels).labels)
