"""Where in some images a painting was copied from: normalised correlation with every place, in all orientations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from fewstain.pairs.arrange import turned

INNER = 0.75  # of a painted image's sides: a copy whose edges were painted anew is found as well
FLAT = 0.02  # standard deviation in [-1, 1] below which an image shows nothing that could be a copy
FLAT_PLACE = FLAT / 4  # and a place of an image nothing that could be copied: float32 tells less than 1e-4 there


def correlation(painted: NDArray[np.float32], images: Sequence[NDArray[np.float32]]) -> float:
    """Largest normalised correlation of a painting's middle, in the 8 symmetries of the square, with images' places.

    Computed by Fourier transforms (Lewis, Vision Interface 1995); the painting's are shared by images of one size.

    Parameters
    ----------
    painted
        (h, w) grey; its middle is cut to fit where an image is smaller. 0 where it is flat.
    images
        (h, w) grey each, of any sizes.
    """
    largest = 0.0
    patterns: dict[tuple[int, ...], list[_Pattern]] = {}
    for image in images:
        if image.shape not in patterns:
            patterns[image.shape] = _patterns(painted, image.shape)
        if patterns[image.shape] and image.std() >= FLAT:
            largest = max(largest, _correlated(patterns[image.shape], image))
    return largest


@dataclass(frozen=True)
class _Pattern:
    """What is looked for: its sides, and the spectrum, conjugate, of its deviations from the mean over their norm."""

    shape: tuple[int, int]
    spectrum: NDArray[np.complex64]


def _patterns(painted: NDArray[np.float32], shape: tuple[int, ...]) -> list[_Pattern]:
    """Cut a painting's middle to look for it in an image of a shape, in all symmetries; none where it is flat."""
    extent = [min([round(INNER * side), *shape]) for side in painted.shape]
    top, left = ((side - own) // 2 for side, own in zip(painted.shape, extent, strict=True))
    inner = painted[top : top + extent[0], left : left + extent[1]]
    if inner.std() < FLAT:
        return []
    centred = (inner - inner.mean()) / (inner.std() * math.sqrt(inner.size))
    return [
        _Pattern(each.shape, np.conj(fft.rfft2(np.asarray(each, np.float32), _fast(shape))))
        for each in symmetries(centred)
    ]


def _correlated(patterns: Sequence[_Pattern], image: NDArray[np.float32]) -> float:
    """Largest correlation of any of the patterns with any place that has all of it."""
    centred = image - image.mean()
    spectrum = fft.rfft2(centred, _fast(image.shape))
    norms = {shape: _norms(centred, shape) for shape in {each.shape for each in patterns}}
    largest = 0.0
    for each in patterns:
        found = fft.irfft2(spectrum * each.spectrum, _fast(image.shape))
        rows, columns = norms[each.shape].shape
        largest = max(largest, float((found[:rows, :columns] * norms[each.shape]).max()))
    return largest


def _norms(image: NDArray[np.float32], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Of each place of a shape in an image, 1 over the norm of its deviations from its mean; 0 where it is flat."""
    height, width = shape
    sums = []
    for plane in (image, image * image):
        total = np.zeros((image.shape[0] + 1, image.shape[1] + 1))
        np.cumsum(np.cumsum(plane, 0, np.float64), 1, out=total[1:, 1:])
        sums.append(
            total[height:, width:] - total[:-height, width:] - total[height:, :-width] + total[:-height, :-width]
        )
    n = height * width
    variance = (sums[1] - sums[0] ** 2 / n) / n
    flat = variance < FLAT_PLACE**2
    return np.asarray(np.where(flat, 0, 1 / np.sqrt(np.where(flat, 1, n * variance))), np.float32)


def _fast(shape: tuple[int, ...]) -> list[int]:
    """Sides, no smaller than those of an image, that a Fourier transform is fast for."""
    return [fft.next_fast_len(side, real=True) for side in shape]


def symmetries(planes: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Turn and mirror planes (..., H, W) in the 8 ways of the square."""
    return [turned(planes, symmetry) for symmetry in range(8)]
