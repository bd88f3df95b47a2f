"""Labeled windows, each with the context its source image gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.dataset import Dataset, Window
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_image, read_labels, stem
from fewstain.pixels.targets import Targets, pixel_targets

CONTEXT = 32  # pixels of the source image around a window; what the network sees at its edges is then no border


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
    """

    name: str
    group: str
    image: Tensor
    top: int
    left: int
    origin: tuple[int, int]
    labels: NDArray[np.int32]
    targets: Targets

    @property
    def inside(self) -> tuple[slice, slice]:
        """Rows and columns of `image` that the window covers."""
        height, width = self.labels.shape
        return slice(self.top, self.top + height), slice(self.left, self.left + width)

    def turned(self, quarter_turns: int, mirrored: bool) -> LabeledWindow:
        """Rotate and mirror the window with its surroundings."""

        def turn(plane: NDArray) -> NDArray:
            rotated = np.rot90(plane, quarter_turns, axes=(-2, -1))
            return np.ascontiguousarray(rotated[..., ::-1] if mirrored else rotated)

        position = np.zeros(self.image.shape[1:], np.bool_)
        position[self.inside] = True
        rows, columns = np.nonzero(turn(position))
        targets = Targets(
            turn(self.targets.classes), turn(self.targets.distance), turn(self.targets.distance_known)
        )
        image = torch.from_numpy(turn(self.image.numpy()))
        top, left = int(rows.min()), int(columns.min())
        return replace(self, image=image, top=top, left=left, labels=turn(self.labels), targets=targets)


def read_windows(
    dataset: Dataset,
    windows: Sequence[Window],
    normaliser: Normaliser,
    channels: Sequence[int],
    multiple: int,
    classes: Mapping[str, int],
) -> Iterator[LabeledWindow]:
    """Read labeled windows with their surroundings; each source image is read once and then let go.

    Parameters
    ----------
    dataset
        Gives the classes of objects.
    windows
        Which of its windows.
    normaliser, channels
        As in the denoiser's training.
    multiple
        Sides of the context are multiples of it.
    classes
        Index of each class name; empty where objects have no classes.

    Raises
    ------
    UserError
        A window that does not lie in its image, or an object without a class where others have one.
    """
    for path in sorted({window.image for window in windows}):
        pixels = read_image(path).pixels
        image = normaliser.apply(pixels)[list(channels)]
        for window in (each for each in windows if each.image == path):
            labels = read_labels(window.labels)
            if window.y + labels.shape[0] > image.shape[1] or window.x + labels.shape[1] > image.shape[2]:
                raise UserError(f"{window.labels}: the window reaches beyond {path.name}; correct the __y_x in its name")
            targets = pixel_targets(labels, _class_of_labels(window, dataset, labels, classes))
            context, top, left = _with_context(image, window, labels.shape, multiple)
            origin = (window.y - top, window.x - left)
            tensor = torch.from_numpy(np.ascontiguousarray(context))
            yield LabeledWindow(window.name, stem(path), tensor, top, left, origin, labels, targets)


def _with_context(
    image: NDArray[np.float32], window: Window, shape: tuple[int, ...], multiple: int
) -> tuple[NDArray[np.float32], int, int]:
    """Cut the window and its surroundings; mirror at the image's lower and right edge up to a multiple."""
    starts = [max(0, first - CONTEXT) // multiple * multiple for first in (window.y, window.x)]
    stops = [
        min(limit, first + side + CONTEXT)
        for first, side, limit in zip((window.y, window.x), shape, image.shape[1:], strict=True)
    ]
    cut = image[:, starts[0] : stops[0], starts[1] : stops[1]]
    pad = [(0, 0), *((0, -side % multiple) for side in cut.shape[1:])]
    return np.pad(cut, pad, mode="symmetric"), window.y - starts[0], window.x - starts[1]


def _class_of_labels(
    window: Window, dataset: Dataset, labels: NDArray, classes: Mapping[str, int]
) -> dict[int, int] | None:
    if not classes:
        return None
    named = dataset.classes.get(window.name, {})
    missing = [int(label) for label in np.unique(labels) if label > 0 and int(label) not in named]
    if missing:
        raise UserError(
            f"{window.labels}: labels {missing[:5]} have no class in {window.labels.parent / 'classes.csv'}; "
            "add a row for each object, or remove the file"
        )
    return {label: classes[name] for label, name in named.items()}
