"""Labeled images of another stain in the colours of this one: rough paintings, for SDEdit to finish."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from skimage.transform import resize

from fewstain.dataset import Dataset, Window
from fewstain.diffusion.translation.table import LEVELS, apply_table, fit_table
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser, fit_normaliser
from fewstain.images.read import are_rgb, read_image, read_labels
from fewstain.pairs.arrange import enlarge, turned

EXTREME = 2.0  # percentile of a pool image's levels that the strongest stain of a source becomes
STREAM = 11


@dataclass(frozen=True)
class Palette:
    """Colours of one image of a stain, by level.

    Attributes
    ----------
    ground, stained
        Level in [-1, 1] of the background, and of what is stained the most.
    table
        (256, C) colour of each level.
    """

    ground: float
    stained: float
    table: NDArray[np.float64]

    def paint(self, stain: NDArray[np.floating]) -> NDArray[np.float32]:
        """Paint a map (H, W) of how strongly each place is stained, 0 to 1, as (C, H, W) in [-1, 1]."""
        level = self.ground + stain.clip(0, 1) * (self.stained - self.ground)
        return apply_table(self.table, level[None])


def palette(image: NDArray[np.floating]) -> Palette:
    """Take the colours of an image (C, H, W) in [-1, 1]; its commonest level is the background's."""
    level = image.mean(axis=0)
    counts, edges = np.histogram(level, bins=32, range=(-1.0, 1.0))
    commonest = level[(level >= edges[counts.argmax()]) & (level <= edges[counts.argmax() + 1])]
    ground = float(np.median(commonest)) if len(commonest) else float(np.median(level))
    low, high = (float(each) for each in np.percentile(level, [EXTREME, 100 - EXTREME]))
    stained = low if ground - low > high - ground else high
    return Palette(ground, stained, fit_table([(level[None], image)]))


def stain_map(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Tell how strongly each place of an image (C, H, W) in [-1, 1] is stained: 0 as its background, 1 at the most."""
    own = palette(image)
    level = image.mean(axis=0, dtype=np.float64)
    width = own.stained - own.ground
    return (level - own.ground) / width if abs(width) > 2 / LEVELS else np.zeros_like(level)


@dataclass(frozen=True)
class Recoloured:
    """Pieces of another stain's labeled images, each in the colours of an image of this stain's pool.

    Attributes
    ----------
    windows
        What is labeled of the other stain.
    normaliser
        Of the other stain.
    pool
        Images (C, H, W) in [-1, 1] of this stain.
    side
        Of a piece, at most, pixels.
    size
        How much larger objects are to be than in the other stain.
    """

    windows: tuple[Window, ...]
    normaliser: Normaliser
    pool: Sequence[NDArray[np.float32]]
    side: int
    size: float = 1.0

    def piece(self, number: int, seed: int) -> tuple[NDArray[np.float32], NDArray[np.int32]]:
        """Return (C, H, W) in [-1, 1] and labels (H, W), a function of (seed, number)."""
        random = np.random.default_rng((seed, STREAM, number))
        window = self.windows[number % len(self.windows)]
        labels = read_labels(window.labels)
        pixels = read_image(window.image).pixels
        height, width = labels.shape
        image = self.normaliser.apply(pixels)[:, window.y : window.y + height, window.x : window.x + width]
        stain = stain_map(image)
        cut = [min(round(self.side / self.size), extent) for extent in labels.shape]
        top, left = (int(random.integers(extent - own + 1)) for extent, own in zip(labels.shape, cut, strict=True))
        place = slice(top, top + cut[0]), slice(left, left + cut[1])
        shape = (round(cut[0] * self.size), round(cut[1] * self.size))
        labels, stain = enlarge(labels[place], self.size, shape), _resized(stain[place], shape)
        painted = palette(self.pool[int(random.integers(len(self.pool)))]).paint(stain)
        symmetry = int(random.integers(8))
        planes = [turned(plane, symmetry) for plane in (*painted, labels)]
        return np.stack(planes[:-1]), planes[-1]


def recoloured(source: Dataset, pool: Sequence[NDArray[np.float32]], side: int, size: float) -> Recoloured:
    """Prepare the labeled images of another dataset; UserError where it has no labels."""
    if not source.windows:
        raise UserError(f"{source.root}: no labels to carry over; give a dataset with labels")
    images = sorted({each.image for each in source.windows})
    normaliser = fit_normaliser((read_image(path).pixels for path in images), rgb=are_rgb(images))
    return Recoloured(source.windows, normaliser, pool, side, size)


def _resized(plane: NDArray[np.floating], shape: tuple[int, int]) -> NDArray[np.float64]:
    return np.asarray(resize(plane, shape, order=1, mode="edge", anti_aliasing=False), np.float64)
