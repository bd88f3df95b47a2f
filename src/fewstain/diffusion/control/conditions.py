"""Conditions that a control is trained on: what is told of an image, as planes."""

from __future__ import annotations

from enum import StrEnum

import numpy as np
from numpy.typing import NDArray
from skimage.feature import canny

from fewstain.layout import LAYOUT_CHANNELS

EDGE_SIGMA = 1.0  # of the Gaussian before the gradient, pixels


class Condition(StrEnum):
    """What a control is told of an image.

    Attributes
    ----------
    layout
        Where its objects are, from a label image; see `layout_planes`.
    edges
        Where its edges are, from the image itself; see `edge_planes`.
    """

    layout = "layout"
    edges = "edges"

    @property
    def channels(self) -> int:
        """Number of planes."""
        return {Condition.layout: LAYOUT_CHANNELS, Condition.edges: 1}[self]


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
