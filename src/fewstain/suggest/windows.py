"""Windows of images that may be labeled, and those that are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewstain.dataset import Dataset, window_name
from fewstain.images.read import read_header, read_image, stem

MOST_WINDOWS = 2000  # looked at in all, spread evenly over the images: what choosing takes grows with their square


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
        How many windows are wanted in the end: where `MOST_WINDOWS` allow, so many are given of each image that has
        them.
    size
        Side of a window, pixels; less where an image is smaller.
    seed
        Draws the windows of images that have more than their share of `MOST_WINDOWS`, and where there are more images
        than that, the images that give one.
    avoid
        None that overlaps with these is given.

    Yields
    ------
    path, pixels, windows
        An image, its (H, W, C) raw intensities, and its windows.
    """
    rng = np.random.default_rng(seed)
    places = [_places(path, size) for path in images]
    shares = _shares([len(each) for each in places], max(n, MOST_WINDOWS // max(len(images), 1)), n, rng)
    for path, of_image, share in zip(images, places, shares, strict=True):
        pixels = read_image(path).pixels
        if len(of_image) > share:
            of_image = [of_image[index] for index in sorted(rng.choice(len(of_image), share, replace=False))]
        windows = [Suggestion(window_name(stem(path), y, x), path, y, x, size) for y, x in of_image]
        yield path, pixels, [window for window in windows if not any(window.overlaps(other) for other in avoid)]


def labeled_windows(dataset: Dataset) -> list[Suggestion]:
    """Give the windows of a dataset that are labeled, as squares that hold them."""
    found = []
    for window in dataset.windows:
        header = read_header(window.labels)
        found.append(Suggestion(window.name, window.image, window.y, window.x, max(header.height, header.width)))
    return found


def _places(path: Path, size: int) -> list[tuple[int, int]]:
    """First row and column of every window of an image."""
    header = read_header(path)
    return [(y, x) for y in _starts(header.height, size) for x in _starts(header.width, size)]


def _shares(there: Sequence[int], share: int, n: int, rng: np.random.Generator) -> list[int]:
    """How many windows each image gives: up to `share` of those there, less where these are too many in all."""
    most = max(MOST_WINDOWS, n)
    wanted = np.minimum(np.array(there, np.intp), share)
    if wanted.sum() <= most:
        return wanted.tolist()
    level = 0
    while np.minimum(wanted, level + 1).sum() <= most:
        level += 1
    given = np.minimum(wanted, level)
    more = rng.permutation(np.flatnonzero(wanted > level))[: most - int(given.sum())]
    given[more] += 1
    return given.tolist()


def _starts(length: int, size: int) -> list[int]:
    """First pixels of windows side by side, from edge to edge: networks err at an image's edge unless shown some."""
    windows = max(1, length // size)
    return [int(start) for start in np.linspace(0, max(0, length - size), windows).round()]
