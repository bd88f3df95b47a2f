"""Pairs on disk -> windows to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fewstain.dataset import list_files
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.images.read import LABEL_EXTENSIONS, read_image, read_labels, stem
from fewstain.pixels.labeled_window import LabeledWindow, label_window

IMAGES, LABELS = "images", "labels"


def read_pairs(
    folder: Path, normaliser: Normaliser, channels: Sequence[int], file_channels: int, multiple: int
) -> list[LabeledWindow]:
    """Read images and their instance labels as windows without surroundings, each a group of its own.

    Parameters
    ----------
    folder
        Holds images/ and labels/, files of the same names, as `fewstain pairs` writes them.
    normaliser, channels, file_channels
        As of the model: images are in the units of the pool's files.
    multiple
        Sides of the windows become multiples of it.

    Raises
    ------
    UserError
        No pairs; an image without labels, of another number of channels, or of another size than its labels.
    """
    images = list_files(folder / IMAGES) if (folder / IMAGES).is_dir() else []
    if not images:
        raise UserError(
            f"{folder / IMAGES}: no images, so there are no pairs to learn from; run `fewstain pairs` first"
        )
    labels = {stem(path): path for path in list_files(folder / LABELS, LABEL_EXTENSIONS)}
    windows = []
    for path in images:
        if stem(path) not in labels:
            raise UserError(f"{path}: no labels of this name in {folder / LABELS}; remove it, or run `fewstain pairs`")
        pixels, label = read_image(path).pixels, read_labels(labels[stem(path)])
        if pixels.shape[2] != file_channels or pixels.shape[:2] != label.shape:
            raise UserError(
                f"{path}: {pixels.shape[0]} x {pixels.shape[1]} pixels of {pixels.shape[2]} channels, but its labels "
                f"have {label.shape[0]} x {label.shape[1]}, and the model's images {file_channels} channels"
            )
        image, name = normaliser.apply(pixels[..., list(channels)]), f"pair {stem(path)}"
        windows.append(label_window(image, label, (0, 0), name, name, multiple))
    return windows
