"""Windows of the pool, labeled by the ensemble where it is sure: self-training (Yarowsky, ACL 1995).

Two dozen labeled windows show few of a stain's images. The pool shows them all, and of most of its objects the ensemble
is sure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewstain.diffusion.progress import StepProgress
from fewstain.images.read import read_image, stem
from fewstain.pixels.labeled_window import LabeledWindow, label_window
from fewstain.pixels.model import Model

SIDE = 128  # pixels
SURE = 0.8  # chance that an object is right from which on it is believed


@dataclass(frozen=True)
class PoolWindow:
    """A window that the ensemble labeled.

    Attributes
    ----------
    window
        With the objects that are believed.
    doubtful
        (H, W) bool: pixels of the others, of which nothing is to be learned.
    """

    window: LabeledWindow
    doubtful: NDArray[np.bool_]


def label_pool(
    model: Model, images: Sequence[Path], n: int, multiple: int, random: np.random.Generator
) -> list[PoolWindow]:
    """Label `n` random windows, as many of each image as of any other.

    Parameters
    ----------
    model
        The pixel ensemble.
    images
        Files of the kind the model was made for; none gives no windows.
    n
        Number of windows.
    multiple
        Sides of the windows with their surroundings become multiples of it.
    random
        Where they lie.
    """
    found: list[PoolWindow] = []
    if not images or not n:
        return found
    order = [images[index] for index in random.permutation(len(images))]
    counts = np.bincount(np.arange(n) % len(order), minlength=len(order))
    with StepProgress("labeling windows of the pool", n, images_per_step=0) as progress:
        for path, count in zip(order, counts, strict=True):
            pixels = read_image(path).pixels
            image = model.record.normaliser.apply(pixels[..., list(model.record.channels)])
            for _ in range(count):
                found.append(_label(model, image, stem(path), multiple, random))
                progress.show(len(found))
    return found


def _label(
    model: Model, image: NDArray[np.float32], name: str, multiple: int, random: np.random.Generator
) -> PoolWindow:
    """Label one window of an image (C, H, W), decoded together with its surroundings."""
    sides = [min(SIDE, length) for length in image.shape[1:]]
    y, x = (int(random.integers(length - side + 1)) for length, side in zip(image.shape[1:], sides, strict=True))
    empty = label_window(image, np.zeros(sides, np.int32), (y, x), name, name, multiple)
    maps = model.maps(empty.image, empty.origin)
    objects = model.record.decoder.decode(maps.decodable())
    labels, window_maps = objects.labels[empty.inside], maps.window(*empty.inside)
    doubtful = np.concatenate([[False], objects.confidence < SURE])[labels]
    labels = np.where(doubtful, 0, labels).astype(np.int32)
    classes = model.object_classes(labels, window_maps) or {}
    index = {label: model.record.classes.index(each) for label, each in classes.items()}
    return PoolWindow(label_window(image, labels, (y, x), name, name, multiple, index), doubtful)
