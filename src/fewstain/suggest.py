"""Which windows to label first: one from each cluster of windows that look alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.cluster import KMeans
from sklearn.preprocessing import StandardScaler

from fewstain.dataset import Dataset, window_name
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_header, read_image, stem

_MOST_WINDOWS = 4000


@dataclass(frozen=True)
class Suggestion:
    """A window worth labeling: `name` is the stem that its label file should get."""

    name: str
    image: Path
    y: int
    x: int
    size: int

    def overlaps(self, other: Suggestion) -> bool:
        """Whether two windows share pixels."""
        return (
            self.image == other.image
            and min(self.y + self.size, other.y + other.size) > max(self.y, other.y)
            and min(self.x + self.size, other.x + other.size) > max(self.x, other.x)
        )


def suggest_windows(
    images: Sequence[Path],
    n: int = 24,
    size: int = 128,
    channels: Sequence[int] | None = None,
    seed: int = 0,
    avoid: Sequence[Suggestion] = (),
) -> list[Suggestion]:
    """Choose n windows that differ in brightness, contrast and texture.

    Windows lie on a grid; each is described by percentiles and the mean gradient of every channel; k-means makes n
    clusters, and the window nearest to each centre is taken.

    Parameters
    ----------
    images : sequence of Path
        Readable images; one is in memory at a time.
    n : int
        How many; fewer where the images have fewer windows.
    size : int
        Side of a window, pixels; less where an image is smaller.
    channels : sequence of int, optional
        Channels to look at.
    seed : int
        Of k-means.
    avoid : sequence of Suggestion
        Windows labeled already: none that overlaps with them is chosen.
    """
    windows: list[Suggestion] = []
    features: list[np.ndarray] = []
    share = max(n, _MOST_WINDOWS // max(len(images), 1))
    rng = np.random.default_rng(seed)
    for path in images:
        pixels = read_image(path).pixels
        pixels = pixels if channels is None else pixels[:, :, list(channels)]
        normaliser = Normaliser()
        limits = normaliser.range(pixels)
        places = [(y, x) for y in _starts(pixels.shape[0], size) for x in _starts(pixels.shape[1], size)]
        if len(places) > share:
            places = [places[index] for index in sorted(rng.choice(len(places), share, replace=False))]
        for y, x in places:
            window = Suggestion(window_name(stem(path), y, x), path, y, x, size)
            if any(window.overlaps(other) for other in avoid):
                continue
            windows.append(window)
            features.append(_describe(normaliser.apply(pixels[y : y + size, x : x + size], limits)))
    if len(windows) <= n:
        return windows
    scaled = StandardScaler().fit_transform(np.stack(features))
    kinds = len(np.unique(scaled, axis=0))
    clusters = KMeans(min(n, kinds), n_init=1, random_state=seed).fit(scaled)
    nearest = {int(clusters.transform(scaled)[:, k].argmin()) for k in range(clusters.n_clusters)}
    return [windows[index] for index in sorted(nearest)]


def labeled_windows(dataset: Dataset) -> list[Suggestion]:
    """Give the windows of a dataset that are labeled, as squares that hold them, to avoid them."""
    found = []
    for window in dataset.windows:
        header = read_header(window.labels)
        found.append(Suggestion(window.name, window.image, window.y, window.x, max(header.height, header.width)))
    return found


def _starts(length: int, size: int) -> list[int]:
    """First pixels of windows side by side, centred in the image."""
    count = max(1, length // size)
    first = max(0, (length - count * size) // 2)
    return [first + size * index for index in range(count)]


def _describe(crop: np.ndarray) -> np.ndarray:
    """(C, H, W) in [-1, 1] -> 4 numbers a channel: 5th, 50th and 95th percentile, mean absolute gradient."""
    percentiles = np.percentile(crop, [5, 50, 95], axis=(1, 2))
    down, right = np.abs(np.diff(crop, axis=1)).mean(axis=(1, 2)), np.abs(np.diff(crop, axis=2)).mean(axis=(1, 2))
    return np.concatenate([percentiles.ravel(), down + right])
