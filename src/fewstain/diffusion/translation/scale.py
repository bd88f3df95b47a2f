"""Intensities of one data set -> [-1, 1] and back, by one range for all its images."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewstain.images.normalise import Normaliser

LUMINANCE = (0.299, 0.587, 0.114)  # ITU-R BT.601, as of JPEG and PIL's mode L


@dataclass(frozen=True)
class Scale:
    """A range of intensities, one for all images: what a translated image is to have is known from its source alone.

    A range of each image, as `Normaliser` has it, could not be told where there is only the source.

    Attributes
    ----------
    low, high
        Intensities that become -1 and 1, one of each for all channels.
    dtype
        Of the files.
    channels
        Of the files, all of which count.
    """

    low: float
    high: float
    dtype: str
    channels: int

    @classmethod
    def fit(cls, images: Iterable[NDArray]) -> Scale:
        """Range of (H, W, C) images: all that uint8 can hold, of other types from the lowest to the highest value."""
        low, high, dtype, channels = np.inf, -np.inf, np.dtype(np.uint8), 0
        for pixels in images:
            low, high = min(low, float(pixels.min())), max(high, float(pixels.max()))
            dtype, channels = pixels.dtype, pixels.shape[2]
        if dtype == np.uint8:
            low, high = 0.0, 255.0
        return cls(low, max(high, np.nextafter(low, np.inf)), str(dtype), channels)

    def apply(self, pixels: NDArray) -> NDArray[np.float32]:
        """(H, W, C) intensities -> (C, H, W) in [-1, 1]; what is outside of the range is clipped."""
        return Normaliser().apply(pixels, self._limits())

    def restore(self, planes: NDArray) -> NDArray:
        """(C, H, W) in [-1, 1] -> (H, W, C) intensities of the files' dtype."""
        return Normaliser().restore(planes, self._limits(), np.dtype(self.dtype))

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Scale:
        """Read what `dataclasses.asdict` gave."""
        return cls(float(values["low"]), float(values["high"]), str(values["dtype"]), int(values["channels"]))

    def _limits(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        return np.full(self.channels, self.low), np.full(self.channels, self.high)


def luminance(pixels: NDArray) -> NDArray:
    """Make RGB grey, as a file would hold it: (H, W, 3) -> (H, W, 1) of the same dtype, whole numbers rounded."""
    grey = (pixels @ np.array(LUMINANCE))[..., None]
    return (np.rint(grey) if pixels.dtype.kind in "ui" else grey).astype(pixels.dtype)
