"""How like the pool a painted image is: too far from every real one, or a copy of one."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.evaluate.realism import feature_scale, random_features
from fewstain.pairs.correlation import correlation

CROPS = 256  # of the pool, whose features painted images are compared with
IMAGES = 128  # that they are taken from
LARGEST = 1024  # pixels a side of an image whose features are looked at
KEPT_PIXELS = 2**25  # of the shrunk images that copies are looked for in: 134 MB, as 2048 images of 256 pixels a side
LARGEST_KEPT = 4096  # pixels a side of an image that a copy is looked for in, for the memory of its Fourier transform
SHRUNK = 2  # a copy is looked for at half the resolution
TYPICAL = 8  # real crops whose likeness to other images is measured


@dataclass(frozen=True)
class Likeness:
    """The pool, described once, that painted images are compared with.

    Attributes
    ----------
    features
        (n, F) of crops, standardised by `mean` and `deviation`.
    owner
        (n,) number in the pool of the image that each crop is of.
    images
        Grey images (h, w) at half resolution, that a copy is looked for in.
    numbers
        Number in the pool of each of `images`.
    mean, deviation
        (F,) of the crops' features.
    unit
        Median distance of a crop to the nearest one of another image.
    crops
        Grey crops (h, w) at half resolution.
    left_out, cut
        Number of images of the pool that a copy is not looked for in, and of those whose middle alone is looked at:
        both 0 unless the pool is larger than `KEPT_PIXELS`.
    """

    features: NDArray[np.float64]
    owner: NDArray[np.intp]
    images: tuple[NDArray[np.float32], ...]
    numbers: tuple[int, ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    unit: float
    crops: tuple[NDArray[np.float32], ...]
    left_out: int = 0
    cut: int = 0

    def distance(self, image: Tensor) -> float:
        """Distance of a painted image (C, H, W) in [-1, 1] to the nearest crop of the pool, in units of `unit`."""
        return float(self._distances(image).min() / self.unit)

    def copy(self, image: Tensor) -> float:
        """Largest correlation of a painted image's middle, turned or not, with any place of the pool's images."""
        return correlation(shrunk(image.numpy()), self.images)

    def typical_copy(self) -> float:
        """Correlation, as of `copy`, that 9 of 10 real crops stay below, each with all images but its own."""
        step = max(1, len(self.crops) // TYPICAL)
        found = []
        for number in range(0, len(self.crops), step):
            pool = zip(self.numbers, self.images, strict=True)
            others = [image for of, image in pool if of != self.owner[number]]
            found += [correlation(self.crops[number], others)] if others else []
        return float(np.quantile(found, 0.9)) if found else 0.0

    def typical_distance(self) -> float:
        """Distance, as of `distance`, that 19 of 20 real crops stay below to those of other images."""
        nearest = nearest_of_others(self.features, self.owner)
        return float(np.quantile(nearest, 0.95) / self.unit) if len(nearest) else 1.0

    def _distances(self, image: Tensor) -> NDArray[np.float64]:
        features = (random_features(image[None]).numpy() - self.mean) / self.deviation
        return np.asarray(np.linalg.norm(self.features - features, axis=1))


def describe_pool(read: Callable[[int], NDArray[np.float32]], n: int, side: int) -> Likeness:
    """Describe the pool, holding one image at a time at full size.

    Parameters
    ----------
    read
        Number of an image -> (C, H, W) in [-1, 1].
    n
        Number of images, at least one. Crops are of `IMAGES` of them, evenly spread, and of a large one's middle,
        `LARGEST` pixels a side. Copies are looked for in all, as far as `KEPT_PIXELS` go; see `largest_kept`.
    side
        Of painted images, and of the crops: evenly spread over the images, `CROPS` of them at most. An image smaller
        than that is one crop.
    """
    chosen = np.unique(np.linspace(0, n - 1, min(n, IMAGES)).astype(int))
    crops, owner, described = [], [], []
    kept = _Kept(largest_kept(n))
    for index in map(int, chosen):
        image = read(index)
        windows = spread_crops(middle(image, LARGEST), side, max(1, CROPS // len(chosen)))
        described += [
            random_features(torch.from_numpy(np.ascontiguousarray(window))[None]).numpy() for window in windows
        ]
        crops += [shrunk(window) for window in windows]
        owner += [index] * len(windows)
        kept.add(index, image)
    for index in np.random.default_rng(0).permutation(np.setdiff1d(np.arange(n), chosen)).tolist():
        if kept.full:
            break
        kept.add(index, read(index))
    features, owners = np.concatenate(described), np.array(owner)
    mean, deviation = feature_scale(features)
    standard = (features - mean) / deviation
    nearest = nearest_of_others(standard, owners)
    unit = float(np.median(nearest)) if len(nearest) else 0.0
    return Likeness(
        standard,
        owners,
        tuple(kept.images),
        tuple(kept.numbers),
        mean,
        deviation,
        unit or 1.0,
        tuple(crops),
        left_out=n - len(kept.images),
        cut=kept.cut,
    )


def largest_kept(n: int) -> int:
    """Side of an image, pixels, up to which all of it is kept: what n such images may have, and no less than `LARGEST`.

    So no image is left out of a pool of 128 or fewer, whatever their size.
    """
    return max(LARGEST, min(LARGEST_KEPT, math.isqrt(KEPT_PIXELS // n) * SHRUNK))


@dataclass
class _Kept:
    """Shrunk images (h, w), or their middles of a side, until one does not fit into `KEPT_PIXELS` any more."""

    side: int
    images: list[NDArray[np.float32]] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    cut: int = 0
    full: bool = False

    def add(self, number: int, image: NDArray[np.float32]) -> None:
        part = middle(image, self.side)
        small = shrunk(part)
        self.full = self.full or sum(each.size for each in self.images) + small.size > KEPT_PIXELS
        if not self.full:
            self.images.append(small)
            self.numbers.append(number)
            self.cut += part.shape != image.shape


def middle(image: NDArray[np.float32], side: int) -> NDArray[np.float32]:
    """Cut the middle out of an image (C, H, W) where it is larger."""
    top, left = (max(0, (extent - side) // 2) for extent in image.shape[1:])
    return image[:, top : top + side, left : left + side]


def spread_crops(image: NDArray[np.float32], side: int, n: int) -> list[NDArray[np.float32]]:
    """Cut at most n crops of a side out of an image (C, H, W), on a grid; what is smaller comes whole."""
    height, width = (min(side, extent) for extent in image.shape[1:])
    rows, columns = (max(1, extent // side) for extent in image.shape[1:])
    corners = [
        (row, column)
        for row in np.linspace(0, image.shape[1] - height, rows).astype(int)
        for column in np.linspace(0, image.shape[2] - width, columns).astype(int)
    ]
    chosen = np.unique(np.linspace(0, len(corners) - 1, min(n, len(corners))).astype(int))
    return [image[:, top : top + height, left : left + width] for top, left in (corners[i] for i in chosen)]


def nearest_of_others(features: NDArray[np.float64], owner: NDArray[np.intp]) -> NDArray[np.float64]:
    """(n,) distance of each crop's features to the nearest of another image; of one image, to another crop of it."""
    distances = np.linalg.norm(features[:, None] - features[None], axis=2)
    same = owner[:, None] == owner[None]
    if same.all():
        same = np.eye(len(owner), dtype=np.bool_)
    nearest = np.where(same, np.inf, distances).min(axis=1)
    return nearest[np.isfinite(nearest)]


def shrunk(image: NDArray[np.floating]) -> NDArray[np.float32]:
    """Make an image (C, H, W) grey, and half as large by means of blocks: (H / 2, W / 2)."""
    grey = image.mean(axis=0)
    height, width = (extent // SHRUNK * SHRUNK for extent in grey.shape)
    blocks = grey[:height, :width].reshape(height // SHRUNK, SHRUNK, width // SHRUNK, SHRUNK)
    return np.asarray(blocks.mean(axis=(1, 3)), np.float32)
