"""Pairs on disk -> windows to learn from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fewstain.dataset import list_files
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.images.read import LABEL_EXTENSIONS, read_image, read_labels, stem
from fewstain.pairs.batches import IMAGES, LABELS, pair_name
from fewstain.pairs.gather import RECORD_FILE
from fewstain.pixels.labeled_window import LabeledWindow, label_window
from fewstain.storage import read_json


def read_pairs(
    folder: Path,
    normaliser: Normaliser,
    channels: Sequence[int],
    file_channels: int,
    multiple: int,
    groups: Mapping[str, str] | None = None,
) -> list[LabeledWindow]:
    """Read images and their instance labels as windows without surroundings.

    Parameters
    ----------
    folder
        Holds images/ and labels/, files of the same names, as `fewstain pairs` writes them.
    normaliser, channels, file_channels
        As of the model: images are in the units of the pool's files.
    multiple
        Sides of the windows become multiples of it.
    groups
        Groups of the labeled windows, by the SHA-256 of their images' files: an edit of one belongs to its group, so
        that it is held out with it. Any other pair is a group of its own.

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
    edited = edited_images(folder)
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
        group = (groups or {}).get(edited.get(stem(path), ""), name)
        windows.append(label_window(image, label, (0, 0), name, group, multiple))
    return windows


def edited_images(folder: Path) -> dict[str, str]:
    """By name of a pair, SHA-256 of the file of the labeled image that it is an edit of; empty of other kinds."""
    record = folder / RECORD_FILE
    made = read_json(record)["made"] if record.is_file() else {}
    hashes = made.get("edited images", [])
    return {pair_name(number): hashes[number % len(hashes)] for number in range(made["n"])} if hashes else {}
