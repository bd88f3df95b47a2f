"""How like a set of real images a set of painted ones is; no network trained on other pictures is needed for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import wasserstein_distance
from torch import Tensor
from torch.nn import functional

WIDTHS = (16, 32, 32)  # channels of the random network's layers; one feature for each of them
BATCH = 64
PERCENTILES = (1, 25, 50, 75, 99)
CONSTANT = 1e-12  # a standard deviation below it is none


@dataclass(frozen=True)
class Realism:
    """Distances between painted and real images; lower is nearer.

    Attributes
    ----------
    frechet
        Fréchet distance of normal distributions fitted to random features (Heusel et al., NeurIPS 2017); biased upwards
        with few images, as much for every set of one size.
    mmd
        Squared maximum mean discrepancy of random features, cubic kernel (Bińkowski et al., ICLR 2018). Unbiased, and
        so about 0, or below, where there is no difference.
    pixels
        Wasserstein distance of an image's `pixel_statistics`, in standard deviations of the real images, mean over all.
    """

    frechet: float
    mmd: float
    pixels: float


def realism(painted: Tensor, real: Tensor) -> Realism:
    """Compare painted with real images, (n, C, H, W) and (m, C, H, W) in [-1, 1]; n and m at least 2."""
    features, truth = random_features(painted).numpy(), random_features(real).numpy()
    mean, deviation = feature_scale(truth)
    features, truth = (features - mean) / deviation, (truth - mean) / deviation
    statistics, expected = pixel_statistics(painted), pixel_statistics(real)
    spread = expected.std(axis=0)
    spread[spread < CONSTANT] = 1.0
    statistics, expected = statistics / spread, expected / spread
    distances = [wasserstein_distance(a, b) for a, b in zip(statistics.T, expected.T, strict=True)]
    return Realism(frechet_distance(features, truth), kernel_mmd(features, truth), float(np.mean(distances)))


def distances(painted: Tensor, candidates: Sequence[Tensor]) -> list[float]:
    """Squared maximum mean discrepancy (see `Realism.mmd`) of painted images to each of several sets of real ones.

    Parameters
    ----------
    painted
        (n, C, H, W) in [-1, 1], n at least 2.
    candidates
        Such images, 2 at least in each; the features' scale is that of all of them together, so that the distances
        compare.
    """
    described = [random_features(images).numpy() for images in candidates]
    mean, deviation = feature_scale(np.concatenate(described))
    features = (random_features(painted).numpy() - mean) / deviation
    return [kernel_mmd(features, (each - mean) / deviation) for each in described]


@torch.inference_mode()
def random_features(images: Tensor) -> Tensor:
    """Describe images by a convolutional network whose weights are drawn from a fixed seed.

    Random filters tell textures and shapes apart nearly as well as trained ones (Saxe et al., ICML 2011), and are
    partial to no stain.

    Parameters
    ----------
    images
        (n, C, H, W) in [-1, 1]; H and W at least 4.

    Returns
    -------
    Tensor
        (n, 80) float64: means over the image of the channels of three layers, at full, half and quarter resolution.
    """
    generator = torch.Generator().manual_seed(0)
    weights, channels = [], images.shape[1]
    for width in WIDTHS:
        scale = (2 / (9 * channels)) ** 0.5  # He et al., ICCV 2015
        weights.append(torch.randn((width, channels, 3, 3), generator=generator) * scale)
        channels = width
    described = []
    for batch in images.float().split(BATCH):
        maps, means = batch, []
        for level, weight in enumerate(weights):
            maps = functional.avg_pool2d(maps, 2) if level else maps
            maps = functional.conv2d(functional.pad(maps, (1, 1, 1, 1), mode="reflect"), weight).relu()
            means.append(maps.mean(dim=(2, 3)))
        described.append(torch.cat(means, dim=1).double())
    return torch.cat(described) if described else torch.empty((0, sum(WIDTHS)), dtype=torch.float64)


def feature_scale(features: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Find what `random_features` (n, F) of real images are to be standardised by: mean and deviation, (F,) each.

    A deviation below the median of all counts as the median: some channels of a random network are 0 in nearly every
    image, and would else make a distance of the one image in which they are not.
    """
    deviation = features.std(axis=0)
    deviation = np.maximum(deviation, np.median(deviation))
    return features.mean(axis=0), np.where(deviation > CONSTANT, deviation, 1.0)


def frechet_distance(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Squared Fréchet distance of normal distributions fitted to (n, F) and (m, F) features.

    |mean_x - mean_y|² + tr(X + Y - 2 (X^½ Y X^½)^½) with covariances X, Y (Dowson & Landau 1982). By eigenvalues, which
    also serve where there are fewer images than features; MONAI's general matrix root fails there.
    """
    cov_x, cov_y = (np.atleast_2d(np.cov(each, rowvar=False)) for each in (x, y))
    values, vectors = np.linalg.eigh(cov_x)
    root = vectors * np.sqrt(values.clip(0)) @ vectors.T
    common = np.sqrt(np.linalg.eigvalsh(root @ cov_y @ root).clip(0)).sum()
    shift = np.square(x.mean(axis=0) - y.mean(axis=0)).sum()
    return float(shift + np.trace(cov_x) + np.trace(cov_y) - 2 * common)


def kernel_mmd(x: NDArray[np.floating], y: NDArray[np.floating]) -> float:
    """Squared maximum mean discrepancy of (n, F) and (m, F) features, kernel (x·y / F + 1)³, unbiased.

    Bińkowski et al., ICLR 2018; MONAI's has a linear kernel, which sees differences of the mean only.
    """
    n, m = len(x), len(y)

    def kernel(a: NDArray[np.floating], b: NDArray[np.floating]) -> NDArray[np.floating]:
        return np.asarray((a @ b.T / a.shape[1] + 1) ** 3)

    within_x, within_y, between = kernel(x, x), kernel(y, y), kernel(x, y)
    return float(
        (within_x.sum() - np.trace(within_x)) / (n * (n - 1))
        + (within_y.sum() - np.trace(within_y)) / (m * (m - 1))
        - 2 * between.mean()
    )


def pixel_statistics(images: Tensor) -> NDArray[np.float64]:
    """Describe images by their grey levels and contrasts, channel by channel.

    Parameters
    ----------
    images
        (n, C, H, W) in [-1, 1].

    Returns
    -------
    ndarray
        (n, 8 C) float64: percentiles 1, 25, 50, 75 and 99; standard deviation; root mean square of the differences of
        neighbours, and of pixels 4 apart.
    """
    pixels = images.double().numpy()
    flat = pixels.reshape(*pixels.shape[:2], -1)
    levels = np.moveaxis(np.percentile(flat, PERCENTILES, axis=-1), 0, -1)
    contrasts = [flat.std(axis=-1)]
    for apart in (1, 4):
        rows = np.square(pixels[..., apart:, :] - pixels[..., :-apart, :]).mean(axis=(-2, -1))
        columns = np.square(pixels[..., apart:] - pixels[..., :-apart]).mean(axis=(-2, -1))
        contrasts.append(np.sqrt((rows + columns) / 2))
    return np.concatenate([levels, np.stack(contrasts, axis=-1)], axis=-1).reshape(len(pixels), -1)
