"""What is said of each object as a whole: its class and its uncertainty."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def object_means(labels: NDArray[np.integer], values: NDArray[np.floating]) -> dict[int, NDArray[np.float64]]:
    """Mean over each object.

    Parameters
    ----------
    labels
        (H, W), 0 = background.
    values
        (n, H, W) maps.

    Returns
    -------
    dict
        label -> (n,) means.
    """
    inside = labels > 0
    names, compact = np.unique(labels[inside], return_inverse=True)
    areas = np.bincount(compact)
    means = [np.bincount(compact, plane[inside], len(names)) / areas for plane in values]
    return dict(zip(names.tolist(), np.stack(means, axis=1), strict=True)) if len(names) else {}


def object_classes(
    labels: NDArray[np.integer], interior: NDArray[np.floating], names: tuple[str, ...]
) -> dict[int, str]:
    """Class of each object: the one whose interior is most probable, averaged over the object's pixels.

    Parameters
    ----------
    labels
        (H, W), 0 = background.
    interior
        (n, H, W) probability of the interior of each class.
    names
        n names.
    """
    return {label: names[int(mean.argmax())] for label, mean in object_means(labels, interior).items()}
