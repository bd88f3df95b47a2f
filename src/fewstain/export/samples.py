"""A results folder -> what there is to export: label images, with the image each belongs to."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from fewstain.dataset import by_stem, list_files, open_dataset
from fewstain.errors import UserError
from fewstain.images.read import LABEL_EXTENSIONS, Image, read_header, read_image, read_labels
from fewstain.pair_folders import pair_folders
from fewstain.pixels.corrected import MEASUREMENTS as CORRECTED_MEASUREMENTS
from fewstain.pixels.decisions import CORRECTED
from fewstain.provenance import RECORD_FILE, find_dataset
from fewstain.storage import read_json

MASKS = "masks"
COUNTS = "counts.csv"
MASKS_AGAIN = "`snakemake --cores all --forcerun segment_pool`"
"""What makes masks/ again: the workflow sees only that the tables made with it are there."""


@dataclass(frozen=True)
class Sample:
    """One label image and its image; pixels are read only when asked for.

    Attributes
    ----------
    name : str
        The image's name without extension.
    labels : Path
        Instance labels, 0 = background.
    image : Path or None
        None where the format needs no images and they could not be found.
    pixel_size_um : float or None
        Side of a pixel.
    classes : mapping
        Label -> class, of objects that have one.
    """

    name: str
    labels: Path
    image: Path | None
    pixel_size_um: float | None = None
    classes: Mapping[int, str] = field(default_factory=dict)

    def read_labels(self) -> np.ndarray:
        """(H, W) int32; UserError when the file is damaged."""
        return read_labels(self.labels)

    def read_image(self) -> Image:
        """Read the image's pixels, (H, W, C)."""
        assert self.image is not None, "a format that needs images gets them"
        return read_image(self.image)

    def checked(self, shape: tuple[int, ...]) -> Sample:
        """Return the sample with the pixel size that its image's file tells, where it tells one.

        Raises
        ------
        UserError
            The image is damaged, or not of the labels' `shape`.
        """
        if self.image is None:
            return self
        head = read_header(self.image)
        if (head.height, head.width) != shape:
            raise UserError(
                f"{self.labels}: {shape[0]} × {shape[1]} pixels, but {self.image} has {head.height} × {head.width}; "
                "segment this image again, or give the dataset these masks belong to with --data"
            )
        return replace(self, pixel_size_um=head.pixel_size_um or self.pixel_size_um)


@dataclass(frozen=True)
class Collection:
    """Samples that go into one folder: "masks" of the user's images, or synthetic "pairs", "pairs-2", …."""

    name: str
    samples: tuple[Sample, ...]
    notes: tuple[str, ...] = ()


def find_collections(
    results: Path,
    data: Path | None = None,
    pixel_size_um: float | None = None,
    *,
    images: bool = True,
    corrected: bool = True,
) -> list[Collection]:
    """Find the masks, and the pairs of each kind if there are any.

    Parameters
    ----------
    results
        A results folder with masks/<image>.tif, or pairs/images and pairs/labels with files of the same names, or both;
        further kinds of pairs in pairs-2, ….
    data
        The dataset's folder; by default what dataset.json says.
    pixel_size_um
        For images whose files and dataset.json don't tell.
    images
        Whether the images are needed; if not, masks are exported without when they cannot be found.
    corrected
        Whether masks that a person corrected take the place of the predicted ones.

    Raises
    ------
    UserError
        Neither masks nor pairs; no mask with an image, or a pair without; no dataset where images are needed.
    """
    if not results.is_dir():
        raise UserError(f"{results}: no such results folder")
    found = []
    if list_files(results / MASKS, LABEL_EXTENSIONS):
        found.append(_masks(results, data, pixel_size_um, images, corrected))
    size = _pixel_sizes(results)[0] or pixel_size_um
    found += [_pairs(folder, size) for folder in pair_folders(results) if (folder / "labels").is_dir()]
    lost = (results / COUNTS).is_file() and not any(each.name == MASKS for each in found)
    if not found:
        remedy = f"run {MASKS_AGAIN}" if lost else "run `snakemake` or `fewstain segment` first"
        raise UserError(f"{results}: neither masks/ nor pairs/ in it; {remedy}")
    if lost:
        note = (
            f"{results / COUNTS} counts masks, but none are in masks/, so only synthetic pairs are exported; "
            f"{MASKS_AGAIN} makes them again"
        )
        found[0] = replace(found[0], notes=(note, *found[0].notes))
    return found


def _masks(results: Path, data: Path | None, pixel_size_um: float | None, needed: bool, corrected: bool) -> Collection:
    labels = by_stem(list_files(results / MASKS, LABEL_EXTENSIONS))
    classes = _classes(results / "measurements.csv")
    by_hand = by_stem(list_files(results / CORRECTED, LABEL_EXTENSIONS))
    notes = _told_of_corrections(labels.keys() & by_hand.keys(), corrected)
    if corrected:
        labels |= {name: path for name, path in by_hand.items() if name in labels}
        known = _classes(results / CORRECTED_MEASUREMENTS)
        classes |= {name: known.get(name, {}) for name in by_hand}
    record, sizes = _pixel_sizes(results)
    try:
        root = find_dataset(results, data)
        images = by_stem(list(open_dataset(root).images))
    except UserError as error:
        if needed or data is not None:
            raise UserError(f"{error}\nthis format needs the images: say where they are with --data") from error
        samples = [Sample(name, path, None, pixel_size_um, classes.get(name, {})) for name, path in labels.items()]
        return Collection(MASKS, tuple(samples), notes)
    lonely = labels.keys() - images.keys()
    if len(lonely) == len(labels):
        _refuse_lonely(results / MASKS, lonely, root / "images", "--data names their dataset")
    samples = [
        Sample(name, path, images[name], sizes.get(images[name].name) or record or pixel_size_um, classes.get(name, {}))
        for name, path in labels.items()
        if name in images
    ]
    return Collection(MASKS, tuple(samples), (*_left_out(labels, images, root / "images"), *notes))


def _told_of_corrections(names: AbstractSet[str], corrected: bool) -> tuple[str, ...]:
    """Tell how many masks are corrected ones, or that corrections are left out."""
    if not names:
        return ()
    if corrected:
        return (f"{_some(sorted(names))}: as corrected, in {CORRECTED}/; --predicted takes the model's own masks",)
    return (f"{_some(sorted(names))}: as predicted, though there are corrections in {CORRECTED}/",)


def _left_out(labels: Mapping[str, Path], images: Mapping[str, Path], folder: Path) -> tuple[str, ...]:
    """Tell of images without mask, and of masks without image, as segmenting leaves them when an image was removed."""
    missing, lonely = len(images.keys() - labels.keys()), sorted(labels.keys() - images.keys())
    notes = [f"{missing} of {len(images)} images have no mask yet and are left out"] if missing else []
    if lonely:
        notes.append(
            f"{len(lonely)} of {len(labels)} masks have no image in {folder} and are left out: {_some(lonely)}"
        )
    return tuple(notes)


def _pairs(folder: Path, size: float | None) -> Collection:
    labels = by_stem(list_files(folder / "labels", LABEL_EXTENSIONS))
    images = by_stem(list_files(folder / "images"))
    if not labels:
        raise UserError(f"{folder / 'labels'}: no label images; run `fewstain pairs` again")
    _refuse_lonely(folder / "labels", labels.keys() - images.keys(), folder / "images", "run `fewstain pairs` again")
    return Collection(folder.name, tuple(Sample(name, path, images[name], size) for name, path in labels.items()))


def _refuse_lonely(folder: Path, names: Iterable[str], images: Path, remedy: str) -> None:
    lonely = sorted(names)
    if lonely:
        raise UserError(f"{folder}: no image in {images} for {_some(lonely)}; {remedy}")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")


def _pixel_sizes(results: Path) -> tuple[float | None, Mapping[str, float | None]]:
    """Pixel size of the whole dataset and of each of its files, from dataset.json where there is one."""
    path = results / RECORD_FILE
    content: Any = read_json(path) if path.exists() else {}
    if not isinstance(content, dict):
        return None, {}
    sizes = content.get("pixel_sizes_um")
    return content.get("pixel_size_um"), sizes if isinstance(sizes, dict) else {}


def _classes(path: Path) -> dict[str, dict[int, str]]:
    """Class of each object that has one, from measurements.csv."""
    classes: dict[str, dict[int, str]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                if row.get("class"):
                    classes.setdefault(row["image"], {})[int(row["label"])] = row["class"]
    return classes
