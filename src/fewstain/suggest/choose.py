"""Few of many windows, so that each of the many has one like it among the few."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.spatial.distance import cdist
from sklearn.decomposition import PCA
from sklearn.preprocessing import StandardScaler

COMPONENTS = 32  # of the descriptions: distances in hundreds of dimensions tell little
NEARLY_BEST = 0.5  # of the best window's gain: from there on, that a window is of another image counts for more


def choose(
    features: NDArray[np.floating],
    weights: NDArray[np.floating],
    n: int,
    taken: Sequence[int] | NDArray[np.integer] = (),
    images: Sequence[int] | NDArray[np.integer] | None = None,
) -> list[int]:
    """Choose windows one by one, each the one that brings all others nearest to a chosen one (k-medoids, greedily).

    The sum of weights times distances to the nearest chosen window is submodular: choosing greedily comes to within
    1 - 1/e of the least that is possible (Nemhauser, Wolsey and Fisher, Math. Programming 1978). The first window is
    the most typical one, later ones are spread, and odd ones come only when nothing commoner is left.

    What is alike within an image, and differs between images, descriptions show in part only. So of windows that bring
    at least half as much as the best, one is taken of the image that has the smallest share of its windows chosen.

    Parameters
    ----------
    features
        (N, F) descriptions, in any units.
    weights
        (N,) how much each window matters, at least 0.
    n
        How many to choose; fewer where the others are copies of those chosen, or matter nothing.
    taken
        Indices of windows chosen before.
    images
        (N,) number of the image that each window is of; all of one by default.

    Returns
    -------
    list of int
        In the order they were chosen.
    """
    if not len(features) or n < 1:
        return []
    distances = cdist(*[_comparable(features)] * 2).astype(np.float32)
    # with none taken any window is better than none, even where all are alike
    nearest = distances[list(taken)].min(axis=0) if len(taken) else distances.max(axis=0) + 1
    of_image = np.zeros(len(features), np.intp) if images is None else np.asarray(images)
    windows = np.bincount(of_image)
    labeled = np.bincount(of_image[list(taken)], minlength=len(windows))
    chosen: list[int] = []
    for _ in range(n):
        gains = np.maximum(nearest - distances, 0) @ weights
        if gains.max() <= 0:
            break
        good = np.flatnonzero(gains >= NEARLY_BEST * gains.max())
        shares = (labeled / np.maximum(windows, 1))[of_image[good]]
        best = int(good[np.lexsort((-gains[good], shares))[0]])
        chosen.append(best)
        labeled[of_image[best]] += 1
        nearest = np.minimum(nearest, distances[best])
    return chosen


def _comparable(features: NDArray[np.floating]) -> NDArray[np.floating]:
    """(N, F) -> (N, up to COMPONENTS): standardised, then their principal components."""
    scaled = StandardScaler().fit_transform(features)
    components = min(COMPONENTS, *scaled.shape)
    return PCA(components, svd_solver="full").fit_transform(scaled) if components < scaled.shape[1] else scaled
