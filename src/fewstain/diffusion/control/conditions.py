"""Conditions that a control is trained on: what is told of an image, as planes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.feature import canny

from fewstain.layout import LAYOUT_CHANNELS
from fewstain.toolbox import Condition

EDGE_SIGMA = 1.0  # of the Gaussian before the gradient, pixels


def channels_of(condition: Condition) -> int:
    """Count the planes of a condition."""
    return {Condition.layout: LAYOUT_CHANNELS, Condition.edges: 1}[condition]


def edge_planes(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """Find the edges of an image (Canny, IEEE PAMI 1986).

    Parameters
    ----------
    image
        (C, H, W) in [-1, 1]; the mean over its channels counts.

    Returns
    -------
    ndarray
        (1, H, W) float32: 1 on edges, one pixel wide, else 0.
    """
    return canny(image.mean(axis=0, dtype=np.float64), sigma=EDGE_SIGMA)[None].astype(np.float32)
