"""Windows of images that may be labeled, and those that are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewstain.dataset import Dataset, window_name
from fewstain.images.read import read_header, read_image, stem

MOST_WINDOWS = 2000  # looked at: about so many, spread evenly over the images


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

    def cut(self, pixels: NDArray) -> NDArray:
        """Cut it out of its image (H, W, ...); smaller than `size` where the image ends."""
        return pixels[self.y : self.y + self.size, self.x : self.x + self.size]


def windows_of(
    images: Sequence[Path], n: int, size: int, seed: int = 0, avoid: Sequence[Suggestion] = ()
) -> Iterator[tuple[Path, NDArray, list[Suggestion]]]:
    """Lay windows side by side over images, and read the images one by one.

    Parameters
    ----------
    images
        Readable images.
    n
        How many windows are wanted in the end: of each image so many are given at least, where it has them.
    size
        Side of a window, pixels; less where an image is smaller.
    seed
        Draws the windows of images that have more than their share of `MOST_WINDOWS`.
    avoid
        None that overlaps with these is given.

    Yields
    ------
    path, pixels, windows
        An image, its (H, W, C) raw intensities, and its windows.
    """
    share = max(n, MOST_WINDOWS // max(len(images), 1))
    rng = np.random.default_rng(seed)
    for path in images:
        pixels = read_image(path).pixels
        places = [(y, x) for y in _starts(pixels.shape[0], size) for x in _starts(pixels.shape[1], size)]
        if len(places) > share:
            places = [places[index] for index in sorted(rng.choice(len(places), share, replace=False))]
        windows = [Suggestion(window_name(stem(path), y, x), path, y, x, size) for y, x in places]
        yield path, pixels, [window for window in windows if not any(window.overlaps(other) for other in avoid)]


def labeled_windows(dataset: Dataset) -> list[Suggestion]:
    """Give the windows of a dataset that are labeled, as squares that hold them."""
    found = []
    for window in dataset.windows:
        header = read_header(window.labels)
        found.append(Suggestion(window.name, window.image, window.y, window.x, max(header.height, header.width)))
    return found


def _starts(length: int, size: int) -> list[int]:
    """First pixels of windows side by side, from edge to edge: networks err at an image's edge unless shown some."""
    windows = max(1, length // size)
    return [int(start) for start in np.linspace(0, max(0, length - size), windows).round()]
