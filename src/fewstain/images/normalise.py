"""Raw intensities of any bit depth -> [-1, 1], by percentiles of each image, with a floor from the whole dataset."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from fewstain.images.plane import is_rgb

Range = tuple[np.ndarray, np.ndarray]

_SAMPLE = 2_000_000  # pixels a percentile is taken from; the error at 99.8 % is then below 0.01 percentiles
_FLOOR_SHARE = 0.1


@dataclass(frozen=True)
class Normaliser:
    """Percentile normalisation of one image, never stretching less contrast than `floor` to the full range.

    Attributes
    ----------
    low, high : float
        Percentiles of an image that become -1 and 1.
    floor : tuple of float
        Least width of the range in raw units, one per channel (or one for all). A blank field has less contrast than
        this, and so stays flat instead of becoming amplified noise.
    anchor : float
        Which part of the range a blank field shows: 0 dark (fluorescence), 0.5 grey, 1 bright (stained sections).
        A range narrower than `floor` is widened on the other side.
    joint : bool
        One range for all channels, which keeps the hue of RGB.
    """

    low: float = 1.0
    high: float = 99.8
    floor: tuple[float, ...] = (0.0,)
    anchor: float = 0.0
    joint: bool = False

    def range(self, pixels: np.ndarray) -> Range:
        """Raw intensities that become -1 and 1.

        Parameters
        ----------
        pixels : (H, W, C) array
            Raw intensities, finite.

        Returns
        -------
        low, high : (C,) float64 arrays with low < high
        """
        low, high = _percentiles(pixels, (self.low, self.high), self.joint)
        width = np.maximum(high - low, np.broadcast_to(self.floor, low.shape))
        width = np.maximum(width, np.maximum(np.abs(high), 1.0) * 1e-6)  # a constant image without any floor
        low = low - self.anchor * (width - (high - low))
        return low, low + width

    def apply(self, pixels: np.ndarray, range: Range | None = None) -> np.ndarray:
        """Normalise.

        Parameters
        ----------
        pixels : (H, W, C) array
            Raw intensities; an image, or a tile of one together with that image's `range`.
        range : (low (C,), high (C,)), optional
            What `self.range(whole image)` gave; taken from `pixels` when absent.

        Returns
        -------
        (C, H, W) float32 array in [-1, 1]
        """
        low, high = range if range is not None else self.range(pixels)
        scale = (2.0 / (high - low)).astype(np.float32)[:, None, None]
        planes = np.moveaxis(pixels, -1, 0)
        # Differences are taken in float64 one channel at a time: float32 cannot tell neighbours in 32-bit integers.
        shifted = np.empty(planes.shape, np.float32)
        for channel, plane in enumerate(planes):
            np.subtract(plane, low[channel], out=shifted[channel], casting="same_kind")
        shifted *= scale
        shifted -= 1.0
        return np.clip(shifted, -1.0, 1.0, out=shifted)

    def restore(self, planes: np.ndarray, range: Range, dtype: np.dtype) -> np.ndarray:
        """Undo `apply`, but for what it clipped.

        Parameters
        ----------
        planes : (C, H, W) array in [-1, 1]
        range : (low (C,), high (C,))
            The range they were normalised by.
        dtype
            Of the raw intensities; integers are rounded.

        Returns
        -------
        (H, W, C) array of `dtype`
        """
        low, high = range
        raw = low + (np.moveaxis(planes, 0, -1).astype(np.float64) + 1) / 2 * (high - low)
        if dtype.kind in "ui":
            limits = np.iinfo(dtype)
            raw = np.clip(np.rint(raw), limits.min, limits.max)
        return raw.astype(dtype)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready form."""
        return asdict(self) | {"floor": list(self.floor)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Normaliser:
        """Invert `as_dict`."""
        return cls(**{**values, "floor": tuple(float(value) for value in values["floor"])})


def fit_normaliser(
    images: Iterable[np.ndarray], low: float = 1.0, high: float = 99.8, *, rgb: bool | None = None
) -> Normaliser:
    """Choose the floor, the anchor and whether channels share a range, from the images of a dataset.

    The floor is 0.1 x the 90th percentile, over images, of the width of an image's own range: an image with less than
    a tenth of the contrast of the dataset's good images is taken as blank.

    Parameters
    ----------
    images : iterable of (H, W, C) arrays
        Raw intensities, all with the same C and dtype; one is held at a time.
    low, high : float
        Percentiles.
    rgb : bool, optional
        Whether the files say that they are RGB, as of `images.read.are_rgb`. Without it, three channels of 8 bits are
        taken for RGB. Channels that are not RGB each have a range of their own.
    """
    widths, backgrounds, joint = [], [], False
    for pixels in images:
        joint = is_rgb(pixels.shape[-1], pixels.dtype, rgb)
        below, above = _percentiles(pixels, (low, high), joint)
        widths.append(above - below)
        if np.any(above > below):
            backgrounds.append(_commonest_level(pixels, below, above))
    if not widths:
        return Normaliser(low, high)
    width = np.percentile(np.stack(widths), 90, axis=0)
    # Measured on five stains: fluorescence 0.02-0.11, phase contrast 0.30, sections and brightfield 0.89-0.95.
    background = np.median(backgrounds) if backgrounds else 0.0
    return Normaliser(
        low,
        high,
        floor=tuple(float(value) for value in _FLOOR_SHARE * width),
        anchor=0.0 if background < 0.2 else 1.0 if background > 2 / 3 else 0.5,
        joint=bool(joint),
    )


def _commonest_level(pixels: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Place of the most frequent intensity, which is the background's, within the range: 0 dark, 1 bright."""
    step = _step(pixels)
    sample = pixels[::step, ::step].astype(np.float64)
    counts, edges = np.histogram((sample - low) / np.maximum(high - low, 1e-12), bins=32, range=(0.0, 1.0))
    return float(edges[counts.argmax()] + edges[1] / 2)


def _percentiles(pixels: np.ndarray, percentiles: tuple[float, ...], joint: bool) -> np.ndarray:
    """(P, C) float64 percentiles of each channel, or of all channels together, of at most `_SAMPLE` pixels each."""
    channels = pixels.shape[-1]
    step = _step(pixels)
    sample = pixels[::step, ::step].reshape(-1, channels)
    if joint:
        return np.repeat(np.percentile(sample, percentiles)[:, None], channels, axis=1)
    return np.stack([np.percentile(sample[:, channel], percentiles) for channel in range(channels)], axis=1)


def _step(pixels: np.ndarray) -> int:
    """Take every how many-th row and column for at most `_SAMPLE` pixels."""
    return max(1, int(np.ceil(np.sqrt(pixels.shape[0] * pixels.shape[1] / _SAMPLE))))
