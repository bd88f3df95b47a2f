"""Labeled windows in the colours of other images of the pool: two dozen of them show few of its lights and dyes."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.progress import StepProgress
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_image, stem

CHANCE = 0.7  # of a view to take on other colours; how far, from not at all to wholly, is drawn evenly
MOST_STRETCH = 4.0  # of contrast, in any direction of colour; and most squeezed: an empty image's noise is no texture
FLAT = 1e-4  # added to each channel's variance, so that a flat image has colours, too
MOST_IMAGES = 200
MOST_PIXELS = 2**20  # of an image, on a grid


@dataclass(frozen=True)
class PoolColours:
    """Mean and covariance of the channels of images of the pool.

    Attributes
    ----------
    images
        Their names.
    means, covariances
        (n, C) and (n, C, C), of values in [-1, 1].
    """

    images: tuple[str, ...] = ()
    means: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0)))
    covariances: NDArray[np.float64] = field(default_factory=lambda: np.zeros((0, 0, 0)))

    def recoloured(self, image: Tensor, name: str, rng: np.random.Generator) -> Tensor:
        """Give a part (C, H, W) in [-1, 1] of one of the images the colours of another, wholly or partly.

        Parameters
        ----------
        image
            The part.
        name
            Of the image that it is a part of; where its colours are not known, they stay as they are.
        rng
            Whether, after which image, and how far.
        """
        if name not in self.images or rng.random() >= CHANCE:
            return image
        own, other = self.images.index(name), int(rng.integers(len(self.images)))
        share = float(rng.uniform())
        matrix = (1 - share) * np.eye(len(image)) + share * colour_map(self.covariances[own], self.covariances[other])
        mean = (1 - share) * self.means[own] + share * self.means[other]
        pixels = image.double().numpy().reshape(len(image), -1) - self.means[own][:, None]
        painted = (matrix @ pixels + mean[:, None]).reshape(image.shape)
        return torch.from_numpy(painted).float().clamp(-1, 1)


def pool_colours(
    images: Sequence[Path], normaliser: Normaliser, channels: Sequence[int], always: Collection[Path] = ()
) -> PoolColours:
    """Take the colours of the images of a pool, of `MOST_IMAGES` evenly spread over it and of those of `always`.

    Parameters
    ----------
    images
        Files, all of the same channels.
    normaliser, channels
        As in the denoiser's training.
    """
    spread = np.unique(np.linspace(0, len(images) - 1, min(len(images), MOST_IMAGES)).astype(int))
    chosen = sorted({*(images[index] for index in spread), *always})
    means, covariances = [], []
    with StepProgress("reading colours of the pool", len(chosen)) as progress:
        for number, path in enumerate(chosen, start=1):
            pixels = read_image(path).pixels[..., list(channels)]
            step = math.ceil(math.sqrt(pixels[..., 0].size / MOST_PIXELS))
            values = normaliser.apply(pixels[::step, ::step], normaliser.range(pixels)).reshape(len(channels), -1)
            means.append(values.mean(axis=1, dtype=np.float64))
            covariances.append(np.atleast_2d(np.cov(values)) + FLAT * np.eye(len(channels)))
            if progress.due(number):
                progress.show(number)
    return PoolColours(tuple(stem(path) for path in chosen), np.array(means), np.array(covariances))


def colour_map(own: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Find the linear map that gives colours of one covariance another, and changes them least.

    own^-½ (own^½ other own^½)^½ own^-½ (Pitié & Kokaram, *The linear Monge-Kantorovitch linear colour mapping for
    example-based colour transfer*, CVMP 2007), stretching no direction by more than `MOST_STRETCH`.

    Parameters
    ----------
    own, other
        (C, C), positive definite.
    """
    root = _power(own, 0.5)
    inverse = np.linalg.inv(root)
    stretch, directions = np.linalg.eigh(inverse @ _power(root @ other @ root, 0.5) @ inverse)
    return np.asarray(directions * stretch.clip(1 / MOST_STRETCH, MOST_STRETCH) @ directions.T)


def _power(matrix: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """Power of a symmetric matrix without negative eigenvalues but for rounding."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray(vectors * values.clip(0) ** exponent @ vectors.T)
