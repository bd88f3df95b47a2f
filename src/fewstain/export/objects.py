"""The objects of a label image one by one, and which of them are no simple shapes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from fewstain.check.numbering import instances_in_pieces


@dataclass(frozen=True)
class Object:
    """One object: its label, its box's top-left pixel, and a (h, w) bool mask of the box."""

    label: int
    y: int
    x: int
    mask: np.ndarray


def each_object(labels: np.ndarray) -> Iterator[Object]:
    """Objects of an (H, W) integer label image, by label; labels may have gaps."""
    for label, box in enumerate(ndimage.find_objects(labels), start=1):
        if box is not None:
            yield Object(label, box[0].start, box[1].start, labels[box] == label)


@dataclass
class Tally:
    """Counts over images: what a format may not be able to say of an object is told to the user."""

    images: int = 0
    objects: int = 0
    in_pieces: int = 0
    with_holes: int = 0

    def add(self, labels: np.ndarray) -> None:
        """Count one image's objects, those whose pixels are not all connected, and those with holes."""
        self.images += 1
        self.in_pieces += len(instances_in_pieces(labels))
        for item in each_object(labels):
            self.objects += 1
            self.with_holes += bool((ndimage.binary_fill_holes(item.mask) != item.mask).any())
