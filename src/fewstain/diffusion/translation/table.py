"""The best that a lookup table can do: the mean target at each level of the source, whatever is around a pixel."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

LEVELS = 256

Table = NDArray[np.float64]


def fit_table(pairs: Iterable[tuple[NDArray, NDArray]]) -> Table:
    """Average the target at each level of the source.

    Parameters
    ----------
    pairs
        (S, H, W) sources and (C, H, W) targets, both in [-1, 1]. Of a source with several channels the mean counts.

    Returns
    -------
    ndarray
        (256, C) float64. A level that no pixel has is interpolated between its neighbours.
    """
    count, total = np.zeros(LEVELS), np.zeros((LEVELS, 1))
    for source, target in pairs:
        levels = source_levels(source).ravel()
        sums = [np.bincount(levels, plane.ravel().astype(np.float64), LEVELS) for plane in target]
        count += np.bincount(levels, minlength=LEVELS)
        total = total + np.stack(sums, axis=1)
    return table_of(count, total)


def table_of(count: NDArray, total: NDArray) -> Table:
    """Divide sums (256, C) of targets at each level by counts (256,); levels never seen are interpolated."""
    seen = np.flatnonzero(count)
    means = total[seen] / count[seen, None]
    return np.stack([np.interp(np.arange(LEVELS), seen, channel) for channel in means.T], axis=1)


def apply_table(table: Table, source: NDArray) -> NDArray[np.float32]:
    """Look up (C, H, W) targets in [-1, 1] for a source (S, H, W) in [-1, 1]."""
    return np.moveaxis(table[source_levels(source)], -1, 0).astype(np.float32)


def source_levels(source: NDArray) -> NDArray[np.intp]:
    """(H, W) level, 0 to 255, of each pixel of a source (S, H, W) in [-1, 1]."""
    mean = source.mean(axis=0, dtype=np.float64)
    return np.rint((mean.clip(-1, 1) + 1) / 2 * (LEVELS - 1)).astype(np.intp)
