"""How like the pool a painted image is: too far from every real one, or a copy of one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.feature import match_template
from torch import Tensor

from fewstain.evaluate.realism import feature_scale, random_features

CROPS = 256  # of the pool, that painted images are compared with
IMAGES = 128  # that they are taken from
LARGEST = 1024  # pixels a side of an image that are looked at
NEAREST = (
    12  # images of the pool, those most like it, that a copy is looked for in: features of a crop elsewhere differ
)
SHRUNK = 2  # a copy is looked for at half the resolution
INNER = 0.75  # of a painted image's sides: a copy whose edges were painted anew is found as well
FLAT = 0.02  # standard deviation in [-1, 1] below which an image shows nothing that could be a copy
TYPICAL = 8  # real crops whose likeness to other images is measured


@dataclass(frozen=True)
class Likeness:
    """The pool, described once, that painted images are compared with.

    Attributes
    ----------
    features
        (n, F) of crops, standardised by `mean` and `deviation`.
    owner
        (n,) image that each crop is of.
    images
        Grey images (h, w) at half resolution.
    mean, deviation
        (F,) of the crops' features.
    unit
        Median distance of a crop to the nearest one of another image.
    crops
        Grey crops (h, w) at half resolution.
    """

    features: NDArray[np.float64]
    owner: NDArray[np.intp]
    images: tuple[NDArray[np.float32], ...]
    mean: NDArray[np.float64]
    deviation: NDArray[np.float64]
    unit: float
    crops: tuple[NDArray[np.float32], ...]

    def distance(self, image: Tensor) -> float:
        """Distance of a painted image (C, H, W) in [-1, 1] to the nearest crop of the pool, in units of `unit`."""
        return float(self._distances(image).min() / self.unit)

    def copy(self, image: Tensor) -> float:
        """Largest correlation of a painted image's middle, turned or not, with a place of the images like it."""
        # random filters know directions, so the images like it are looked for in all its orientations
        turned = [torch.from_numpy(np.ascontiguousarray(each)) for each in symmetries(image.numpy())]
        distances = np.min([self._distances(each) for each in turned], axis=0)
        nearest = list(dict.fromkeys(self.owner[np.argsort(distances, kind="stable")]))[:NEAREST]
        return max(correlation(shrunk(image.numpy()), self.images[number]) for number in nearest)

    def typical_copy(self) -> float:
        """Correlation, as of `copy`, that 9 of 10 real crops stay below, each with the images most like its own."""
        step = max(1, len(self.crops) // TYPICAL)
        found = []
        for number in range(0, len(self.crops), step):
            distances = np.linalg.norm(self.features - self.features[number], axis=1)
            order = self.owner[np.argsort(distances, kind="stable")]
            others = list(dict.fromkeys(order[order != self.owner[number]]))[:NEAREST]
            found += [max(correlation(self.crops[number], self.images[other]) for other in others)] if others else []
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
        Number of images, at least one; of more than `IMAGES` so many are taken, evenly spread, and of a large one its
        middle, `LARGEST` pixels a side.
    side
        Of painted images, and of the crops: evenly spread over the images, `CROPS` of them at most. An image smaller
        than that is one crop.
    """
    chosen = np.unique(np.linspace(0, n - 1, min(n, IMAGES)).astype(int))
    crops, owner, small, described = [], [], [], []
    for number, index in enumerate(chosen):
        image = middle(read(int(index)), LARGEST)
        windows = spread_crops(image, side, max(1, CROPS // len(chosen)))
        described += [
            random_features(torch.from_numpy(np.ascontiguousarray(window))[None]).numpy() for window in windows
        ]
        crops += [shrunk(window) for window in windows]
        owner += [number] * len(windows)
        small.append(shrunk(image))
    features, owners = np.concatenate(described), np.array(owner)
    mean, deviation = feature_scale(features)
    standard = (features - mean) / deviation
    nearest = nearest_of_others(standard, owners)
    unit = float(np.median(nearest)) if len(nearest) else 0.0
    return Likeness(standard, owners, tuple(small), mean, deviation, unit or 1.0, tuple(crops))


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


def correlation(painted: NDArray[np.float32], image: NDArray[np.float32]) -> float:
    """Largest normalised correlation of a painting's middle, in the 8 symmetries of the square, with an image's places.

    Parameters
    ----------
    painted, image
        (h, w) grey; a painting's middle is cut to fit where the image is smaller. 0 where the painting is flat.
    """
    extent = [round(INNER * side) for side in painted.shape]
    extent = [min([side, *image.shape]) for side in extent]
    top, left = ((side - own) // 2 for side, own in zip(painted.shape, extent, strict=True))
    inner = painted[top : top + extent[0], left : left + extent[1]]
    if inner.std() < FLAT or image.std() < FLAT:
        return 0.0
    return float(max(match_template(image, each).max() for each in symmetries(inner)))


def symmetries(planes: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    """Turn and mirror planes (..., H, W) in the 8 ways of the square."""
    return [np.rot90(each, quarter, (-2, -1)) for each in (planes, planes[..., ::-1]) for quarter in range(4)]
