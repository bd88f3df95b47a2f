"""Means over seeds, with intervals over seeds and images: the paired bootstrap (Efron & Tibshirani 1993, chapter 8).

Where there is one seed, intervals are over images only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

DRAWS = 2000
LEVEL = 0.95
SCORES = ("AP50", "PQ")


@dataclass(frozen=True)
class Counts:
    """What scores are made of, for each seed and image.

    Attributes
    ----------
    images
        Names, in the order of the arrays.
    seeds
        The seeds, in the order of the arrays.
    counts
        (seeds, images, 4) TP, FP, FN and the summed IoU of the matched, at an IoU of 0.5.
    """

    images: tuple[str, ...]
    seeds: tuple[int, ...]
    counts: NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds and its bounds; None where nothing can be divided."""

    mean: float | None
    low: float | None
    high: float | None


def counts_of(cells: Sequence[dict[str, Any]]) -> Counts:
    """Gather the counts of cells that differ in their seed only.

    Raises
    ------
    ValueError
        Cells of different test images.
    """
    cells = sorted(cells, key=lambda cell: cell["seed"])
    names = [tuple(image["image"] for image in cell["images"]) for cell in cells]
    if len(set(names)) != 1:
        raise ValueError("cells of different test images")
    table = [[_row(image) for image in cell["images"]] for cell in cells]
    return Counts(names[0], tuple(cell["seed"] for cell in cells), np.array(table, float))


def interval(counts: Counts, score: str, draws: int = DRAWS) -> Interval:
    """Mean over seeds of a score whose counts are summed over images, and its 95 % interval."""
    found = _resampled(counts, score, draws)
    return Interval(mean(counts, score), *_bounds(found))


def shared_seeds(first: Counts, second: Counts) -> tuple[int, ...]:
    """Seeds that both have; none where they are of different test images, and so not to be compared."""
    if first.images != second.images:
        return ()
    return tuple(seed for seed in first.seeds if seed in second.seeds)


def of_seeds(counts: Counts, seeds: Sequence[int]) -> Counts:
    """Take the counts of some of the seeds, in their order."""
    return Counts(counts.images, tuple(seeds), counts.counts[[counts.seeds.index(seed) for seed in seeds]])


def mean(counts: Counts, score: str) -> float | None:
    """Mean over seeds of a score whose counts are summed over images; None where nothing can be divided."""
    value = float(score_of(counts.counts.sum(1), score).mean()) if counts.seeds else np.nan
    return None if np.isnan(value) else value


def difference(first: Counts, second: Counts, score: str, draws: int = DRAWS) -> Interval:
    """Score of the first less that of the second, over the seeds that both have, and the same drawn seeds and images.

    Raises
    ------
    ValueError
        They are of different test images.
    """
    if first.images != second.images:
        raise ValueError("cells of different test images")
    seeds = shared_seeds(first, second)
    first, second = of_seeds(first, seeds), of_seeds(second, seeds)
    ours, theirs = mean(first, score), mean(second, score)
    if ours is None or theirs is None:
        return Interval(None, None, None)
    found = _resampled(first, score, draws) - _resampled(second, score, draws)
    return Interval(ours - theirs, *_bounds(found))


def score_of(counts: NDArray[np.float64], score: str) -> NDArray[np.float64]:
    """AP50 or PQ of (..., 4) counts that are summed over images; NaN where there are no objects, true or found."""
    tp, fp, fn, iou = np.moveaxis(counts, -1, 0)
    hits, weight = (tp, 1.0) if score == "AP50" else (iou, 0.5)
    total = tp + weight * (fp + fn)
    return np.divide(hits, total, out=np.full(total.shape, np.nan), where=total > 0)


def _resampled(counts: Counts, score: str, draws: int) -> NDArray[np.float64]:
    """(draws,) mean over drawn seeds of the score of drawn images; the draws depend on the numbers of both alone."""
    random = np.random.default_rng(0)
    images = _multiplicities(random, draws, len(counts.images))
    seeds = _multiplicities(random, draws, len(counts.seeds))
    scores = score_of(np.einsum("di,sik->dsk", images, counts.counts), score)
    return (np.where(seeds > 0, scores, 0.0) * seeds).sum(1) / seeds.sum(1)


def _multiplicities(random: np.random.Generator, draws: int, n: int) -> NDArray[np.float64]:
    """(draws, n) how often each of n is drawn, when n are drawn with replacement."""
    return random.multinomial(n, np.full(n, 1 / n), size=draws).astype(np.float64)


def _bounds(values: NDArray[np.float64]) -> tuple[float | None, float | None]:
    known = values[~np.isnan(values)]
    if not len(known):
        return None, None
    low, high = np.quantile(known, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def _row(image: dict[str, Any]) -> tuple[float, float, float, float]:
    tp, fp, fn = image["TP"], image["FP"], image["FN"]
    quality = image["PQ"] or 0.0  # of an image without any object
    return tp, fp, fn, quality * (tp + 0.5 * (fp + fn))
