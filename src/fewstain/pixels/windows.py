"""Labeled windows, each with the context its source image gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.dataset import Dataset, Window, label_pieces, window_name
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_image, read_labels, stem
from fewstain.pixels.targets import Targets, pixel_targets

LEAST_WINDOWS = 2  # choices are made out-of-fold, which takes two folds
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
    class_of_label
        Class index of each label; empty where objects have no classes.
    source_rows, source_columns
        (H, W) int64: where in the source image each of its pixels lies, also after turning.
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


def turn_planes(planes: NDArray, quarter_turns: int, mirrored: bool) -> NDArray:
    """Rotate planes (…, H, W), and then mirror them left to right."""
    rotated = np.rot90(planes, quarter_turns, axes=(-2, -1))
    return np.ascontiguousarray(rotated[..., ::-1] if mirrored else rotated)


def read_windows(
    dataset: Dataset,
    windows: Sequence[Window],
    normaliser: Normaliser,
    channels: Sequence[int],
    multiple: int,
    classes: Mapping[str, int],
) -> Iterator[LabeledWindow]:
    """Read labeled windows with their surroundings; each source image is read once and then let go.

    A window larger than `dataset.LARGEST_PIECE` comes in pieces, each a window named after its place.

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
        image = normaliser.apply(pixels[..., list(channels)])
        for window in (each for each in windows if each.image == path):
            labels = read_labels(window.labels)
            if window.y + labels.shape[0] > image.shape[1] or window.x + labels.shape[1] > image.shape[2]:
                raise UserError(
                    f"{window.labels}: the window reaches beyond {path.name}; correct the __y_x in its name"
                )
            of_label = _class_of_labels(window, dataset, labels, classes)
            pieces = label_pieces(*labels.shape)
            for rows, columns in pieces:
                y, x = window.y + rows.start, window.x + columns.start
                name = window.name if len(pieces) == 1 else window_name(stem(path), y, x)
                yield label_window(image, labels[rows, columns], (y, x), name, stem(path), multiple, of_label)


def labeled_windows(
    dataset: Dataset,
    normaliser: Normaliser,
    channels: Sequence[int],
    multiple: int,
    class_names: Sequence[str],
    n_labels: int | None = None,
) -> list[LabeledWindow]:
    """Read all labeled windows of a dataset, or its first `n_labels` label files, to learn from; see `read_windows`.

    Raises
    ------
    UserError
        As `read_windows`; too few windows, or too few objects in them.
    """
    folder = dataset.root / "labels"
    index = {name: number for number, name in enumerate(class_names)}
    windows = list(read_windows(dataset, dataset.windows[:n_labels], normaliser, channels, multiple, index))
    if len(windows) < LEAST_WINDOWS:
        raise UserError(
            f"{folder}: {len(windows)} labeled windows, but choices are made out-of-fold, which takes {LEAST_WINDOWS}; "
            "label more windows: 5 work, 20-50 are recommended"
        )
    if sum(len(np.unique(window.labels)) - 1 for window in windows) < 2:
        raise UserError(f"{folder}: the labels have fewer than two objects; label windows with cells in them")
    return windows


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
    )


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
