"""Labeled squares of one size, cut out of the embedded labeled image or out of a folder of labeled images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fewstain.dataset import open_dataset
from fewstain.demo import packaged
from fewstain.images.read import IMAGE_EXTENSIONS, extension, read_image, read_labels, stem
from fewstain.pixels.labeled_window import LabeledWindow, label_window

SYMMETRIES = 8  # four turns, mirrored or not


@dataclass(frozen=True)
class LabeledImage:
    """An image (H, W, C) and its instance labels (H, W)."""

    pixels: np.ndarray
    labels: np.ndarray


def training_images(data: Path | None) -> Iterator[LabeledImage]:
    """Read what may be fitted to.

    Parameters
    ----------
    data
        A stain folder (see fewstain.benchmark.trial), whose images all have labels in full-labels/; or a dataset
        folder, whose labels/
        hold whole images or windows. None is for the left half of the demo's labeled image.
    """
    if data is None:
        yield demo_half(0)
    elif (data / "full-labels").is_dir():
        yield from _pairs(data / "images", data / "full-labels")
    else:
        for window in open_dataset(data).windows:
            labels = read_labels(window.labels)
            rows, columns = (slice(a, a + side) for a, side in zip((window.y, window.x), labels.shape, strict=True))
            yield LabeledImage(read_image(window.image).pixels[rows, columns], labels)


def test_images(data: Path | None) -> Iterator[LabeledImage]:
    """Read what is predicted: the test folder, or the right half of the demo's labeled image."""
    if data is None:
        yield demo_half(1)
    else:
        yield from _pairs(data / "test" / "images", data / "test" / "labels")


def demo_half(half: int) -> LabeledImage:
    """Return the left (0) or right (1) 256 of 512 columns; each has a part of the few nuclei that the seam cuts."""
    pixels = read_image(packaged("stardist", "data/images/img2d.tif")).pixels
    labels = read_labels(packaged("stardist", "data/images/mask2d.tif"))
    middle = pixels.shape[1] // 2
    columns = slice(half * middle, (half + 1) * middle)
    return LabeledImage(pixels[:, columns], labels[:, columns])


def squares(
    images: Iterator[LabeledImage],
    n: int,
    side: int,
    normalise: Callable[[np.ndarray], np.ndarray],
    multiple: int = 1,
) -> list[LabeledWindow]:
    """Cut n labeled squares, from as many images as there are and apart from each other where that is possible.

    Where there are too few, squares overlap by up to three quarters, and then come again turned and mirrored.

    Parameters
    ----------
    images
        Smaller ones than `side` are passed over; no more than n others are read.
    n, side
        How many, and their side in pixels.
    normalise
        (H, W, C) -> (C', H, W) in [-1, 1]; applied to each image as a whole, before it is cut.
    multiple
        What the feature extractor asks the sides of images to be multiples of; `side` is one.

    Raises
    ------
    ValueError
        There are not enough even so.
    """
    cut: list[tuple[tuple[int, int], LabeledWindow]] = []
    used = 0
    for image in images:
        if min(image.labels.shape) < side:
            continue
        pixels = normalise(image.pixels)
        for rank, (y, x) in enumerate(corners(image.labels.shape, side)):
            rows, columns = slice(y, y + side), slice(x, x + side)
            labels = np.ascontiguousarray(image.labels[rows, columns])
            if labels.any():
                name = f"{used}__y{y}_x{x}"
                cut.append(
                    ((rank, used), label_window(pixels[:, rows, columns], labels, (0, 0), name, str(used), multiple))
                )
        used += 1
        if used == n:
            break
    cut.sort(key=lambda each: each[0])
    if len(cut) * SYMMETRIES < n:
        raise ValueError(f"{n} squares of side {side} asked for, but the labeled images give {len(cut)}")
    return [cut[k % len(cut)][1].turned(k // len(cut) % 4, k // len(cut) >= 4) for k in range(n)]


def corners(shape: tuple[int, int], side: int) -> list[tuple[int, int]]:
    """Top-left pixels of squares on a grid of a quarter of their side; those that do not overlap come first."""
    step = max(side // 4, 1)
    found = [(y, x) for y in range(0, shape[0] - side + 1, step) for x in range(0, shape[1] - side + 1, step)]
    return sorted(found, key=lambda corner: (corner[0] % side > 0 or corner[1] % side > 0, corner))


def _pairs(images: Path, labels: Path) -> Iterator[LabeledImage]:
    of_stem = {stem(path): path for path in labels.iterdir()}
    for path in sorted(images.iterdir()):
        if extension(path) in IMAGE_EXTENSIONS and stem(path) in of_stem:
            yield LabeledImage(read_image(path).pixels, read_labels(of_stem[stem(path)]))
