"""The interface of a baseline: labeled windows in, pixel maps out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, Self

import numpy as np
import torch

from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.labeled_window import LabeledWindow


class PixelSegmenter(Protocol):
    """Learns from labeled windows to predict background, boundary, interior and distance at every pixel."""

    def fit(self, windows: Sequence[LabeledWindow]) -> Self:
        """Learn from windows, each with its surroundings and targets; anew at each call."""
        ...

    def predict(self, image: np.ndarray) -> PixelMaps:
        """Predict the maps of an image (C, H, W) float32 in [-1, 1], as a batch of one."""
        ...


def single_maps(probabilities: np.ndarray, distance: np.ndarray) -> PixelMaps:
    """Make a batch of one of a single model's probabilities (K, H, W) and distance (H, W).

    The divergence of a single model from itself is 0.
    """
    return PixelMaps(
        torch.from_numpy(probabilities.astype(np.float32))[None],
        torch.from_numpy(distance.astype(np.float32))[None],
        torch.zeros(1, *distance.shape),
    )
