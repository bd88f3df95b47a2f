"""A labeled window in its surroundings, cut out of an image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.transform import resize
from torch import Tensor

from fewstain.pixels.colours import PoolColours
from fewstain.pixels.targets import Targets, pixel_targets

CONTEXT = 32  # pixels of the source image around a window; what the network sees at its edges is then no border
NO_COLOURS = PoolColours()


@dataclass(frozen=True)
class LabeledWindow:
    """A labeled window in its surroundings.

    Attributes
    ----------
    name, group
        Of the window, and of the image it comes from: windows of one group never lie in two folds.
    image
        (C, h, w) float32 in [-1, 1]: the window and up to `CONTEXT` pixels around it; h and w are multiples of what
        the feature extractor asks for.
    top, left
        Where in `image` the window begins.
    origin
        Row and column of `image`'s top-left pixel in the source image.
    labels, targets
        (H, W) of the window itself.
    class_of_label
        Class index of each label; empty where objects have no classes.
    source_rows, source_columns
        (H, W) int64: where in the source image each of its pixels lies, also after turning.
    multiple
        What the sides of `image` are multiples of.
    colours
        Of the pool that the image is of; none where it is of no pool.
    """

    name: str
    group: str
    image: Tensor
    top: int
    left: int
    origin: tuple[int, int]
    labels: NDArray[np.int32]
    targets: Targets
    class_of_label: Mapping[int, int]
    source_rows: NDArray[np.int64]
    source_columns: NDArray[np.int64]
    multiple: int = 1
    colours: PoolColours = NO_COLOURS

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of `image` that the window covers."""
        height, width = self.labels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def turned(self, quarter_turns: int, mirrored: bool) -> LabeledWindow:
        """Rotate and mirror the window with its surroundings."""

        def turn(planes: NDArray) -> NDArray:
            return turn_planes(planes, quarter_turns, mirrored)

        height, width = self.image.shape[1:]
        mask = np.zeros((height, width), np.bool_)
        mask[self.inside] = True
        top, left = (int(places.min()) for places in np.nonzero(turn(mask)))
        targets = Targets(turn(self.targets.classes), turn(self.targets.distance), turn(self.targets.distance_known))
        return replace(
            self,
            image=torch.from_numpy(turn(self.image.numpy())),
            top=top,
            left=left,
            labels=turn(self.labels),
            targets=targets,
            source_rows=turn(self.source_rows),
            source_columns=turn(self.source_columns),
        )

    def part(self, first: tuple[int, int], side: int) -> LabeledWindow:
        """Cut a square out of the window and its surroundings.

        Parameters
        ----------
        first
            Row and column in `image` where it begins; it ends where `image` does, at the latest.
        side
            A multiple of what the feature extractor asks for, more than 2 `CONTEXT`.

        Returns
        -------
        LabeledWindow
            Its labels keep `CONTEXT` pixels away from where it was cut.
        """
        cut, kept = [], []
        for begin, length, start, extent in zip(
            first, self.image.shape[1:], (self.top, self.left), self.labels.shape, strict=True
        ):
            end = min(begin + side, length)
            low = max(start, begin + CONTEXT if begin else 0)
            high = min(start + extent, end - CONTEXT if end < length else length)
            cut.append(slice(begin, end))
            kept.append(slice(low - start, high - start))
        inside = tuple(kept)
        labels, targets = self.labels[inside], self.targets
        return replace(
            self,
            image=self.image[:, cut[0], cut[1]],
            top=self.top + kept[0].start - cut[0].start,
            left=self.left + kept[1].start - cut[1].start,
            origin=(self.origin[0] + cut[0].start, self.origin[1] + cut[1].start),
            labels=labels,
            targets=Targets(targets.classes[inside], targets.distance[inside], targets.distance_known[inside]),
            class_of_label=_of_those_in(labels, self.class_of_label),
            source_rows=self.source_rows[inside],
            source_columns=self.source_columns[inside],
        )

    def magnified(self, factor: float) -> LabeledWindow:
        """Show the window and its surroundings as at another magnification; sides become multiples of `multiple`."""
        sides = [max(1, round(side * factor / self.multiple)) * self.multiple for side in self.image.shape[1:]]
        image = resize(self.image.numpy(), (len(self.image), *sides), order=1, anti_aliasing=factor < 1)
        starts, places = [], []
        for new, old, start, extent in zip(
            sides, self.image.shape[1:], (self.top, self.left), self.labels.shape, strict=True
        ):
            first, last = round(start * new / old), round((start + extent) * new / old)
            centres = (np.arange(first, max(last, first + 1)) + 0.5) * old / new - start
            starts.append(first)
            places.append(np.clip(centres.astype(np.int64), 0, extent - 1))
        nearest = np.ix_(*places)
        labels = self.labels[nearest]
        of_label = _of_those_in(labels, self.class_of_label)
        return replace(
            self,
            image=torch.from_numpy(image.astype(np.float32)),
            top=starts[0],
            left=starts[1],
            labels=labels,
            targets=pixel_targets(labels, of_label),
            class_of_label=of_label,
            source_rows=self.source_rows[nearest],
            source_columns=self.source_columns[nearest],
        )


def _of_those_in(labels: NDArray[np.int32], class_of_label: Mapping[int, int]) -> dict[int, int]:
    there = set(np.unique(labels).tolist())
    return {label: kind for label, kind in class_of_label.items() if label in there}


def turn_planes(planes: NDArray, quarter_turns: int, mirrored: bool) -> NDArray:
    """Rotate planes (…, H, W), and then mirror them left to right."""
    rotated = np.rot90(planes, quarter_turns, axes=(-2, -1))
    return np.ascontiguousarray(rotated[..., ::-1] if mirrored else rotated)


def label_window(
    image: NDArray[np.float32],
    labels: NDArray[np.int32],
    corner: tuple[int, int],
    name: str,
    group: str,
    multiple: int,
    class_of_label: Mapping[int, int] | None = None,
) -> LabeledWindow:
    """Cut a labeled window and its surroundings out of an image.

    Parameters
    ----------
    image
        (C, H, W) in [-1, 1], the whole source image.
    labels
        (h, w) instance labels.
    corner
        Row and column of their top-left pixel in the image.
    name, group
        Of the window and of the image.
    multiple
        Sides of the context become multiples of it, mirrored at the image's lower and right edge where need be.
    class_of_label
        Class index of each label, where objects have classes.
    """
    starts = [max(0, first - CONTEXT) // multiple * multiple for first in corner]
    stops = [
        min(limit, first + side + CONTEXT)
        for first, side, limit in zip(corner, labels.shape, image.shape[1:], strict=True)
    ]
    cut = image[:, starts[0] : stops[0], starts[1] : stops[1]]
    cut = np.pad(cut, [(0, 0), *((0, -side % multiple) for side in cut.shape[1:])], mode="symmetric")
    rows, columns = np.meshgrid(*(np.arange(side, dtype=np.int64) for side in labels.shape), indexing="ij")
    return LabeledWindow(
        name,
        group,
        torch.from_numpy(np.ascontiguousarray(cut)),
        corner[0] - starts[0],
        corner[1] - starts[1],
        (starts[0], starts[1]),
        labels,
        pixel_targets(labels, class_of_label),
        class_of_label or {},
        rows + corner[0],
        columns + corner[1],
        multiple,
    )
