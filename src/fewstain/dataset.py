"""A dataset folder -> records: which images there are, which windows are labeled, what is held out."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from fewstain.errors import UserError
from fewstain.images.read import IMAGE_EXTENSIONS, LABEL_EXTENSIONS, extension, namesakes, stem
from fewstain.storage import atomic_path

LARGEST_PIECE = 256  # pixels; larger labels are learned from in pieces, which bounds memory and makes blocks for folds
LEAST_WINDOWS = 2  # labeled ones, large labels counted by their pieces
TOO_FEW_WINDOWS = f"each choice is checked on some that were not learned from, which takes {LEAST_WINDOWS}"
LABEL_MORE = "label more windows: 5 work, 20-50 are recommended"
_WINDOW = re.compile(r"(?P<image>.+)__y(?P<y>\d+)_x(?P<x>\d+)")
CLASSES_FILE = "classes.csv"
Classes = Mapping[str, Mapping[int, str]]


@dataclass(frozen=True)
class Window:
    """A labeled window of a pool image, or a whole labeled image (y = x = 0).

    Attributes
    ----------
    name : str
        The label file's name without its extension.
    image, labels : Path
        The pool image and the label file.
    y, x : int
        Row and column of the window's top-left pixel in the image.
    """

    name: str
    image: Path
    labels: Path
    y: int
    x: int


@dataclass(frozen=True)
class TestImage:
    """A held-out image, with labels when there are some."""

    __test__ = False  # not a test case of pytest's

    image: Path
    labels: Path | None


@dataclass(frozen=True)
class Dataset:
    """Everything in a dataset folder, sorted by name.

    `classes` maps a label file's stem to {label value: class name}, from labels/classes.csv; `test_classes` the same
    from test/labels/classes.csv.
    """

    root: Path
    images: tuple[Path, ...]
    windows: tuple[Window, ...]
    test: tuple[TestImage, ...]
    classes: Classes = field(default_factory=dict)
    test_classes: Classes = field(default_factory=dict)


def window_name(image: str, y: int, x: int) -> str:
    """Stem of the label file of a window: "<image>__y<row>_x<col>"."""
    return f"{image}__y{y}_x{x}"


def label_pieces(height: int, width: int) -> list[tuple[slice, slice]]:
    """Rows and columns of the pieces that labels of a size are learned from: as few and as alike as can be.

    No side is longer than `LARGEST_PIECE`; labels up to this size are one piece.
    """

    def cut(side: int) -> list[slice]:
        count = max(1, -(-side // LARGEST_PIECE))
        edges = [side * index // count for index in range(count + 1)]
        return [slice(start, stop) for start, stop in pairwise(edges)]

    return [(rows, columns) for rows in cut(height) for columns in cut(width)]


def parse_window(name: str, images: Mapping[str, Path]) -> tuple[Path, int, int] | None:
    """Find the image and the top-left pixel that a label file's stem names.

    Parameters
    ----------
    name : str
        Stem of a label file. An image of exactly this stem wins over a window of another one.
    images : mapping
        Stem of each image -> its file.

    Returns
    -------
    (image, y, x), or None when no such image exists
    """
    if name in images:
        return images[name], 0, 0
    match = _WINDOW.fullmatch(name)
    if match and match["image"] in images:
        return images[match["image"]], int(match["y"]), int(match["x"])
    return None


def list_files(folder: Path, extensions: tuple[str, ...] = IMAGE_EXTENSIONS) -> list[Path]:
    """Files of the folder with one of the extensions, sorted by name; names that start with a dot are skipped."""
    if not folder.is_dir():
        return []
    try:
        entries = sorted(folder.iterdir())
    except PermissionError as error:
        raise UserError(f"{folder}: no permission to read this folder; change its permissions") from error
    return [path for path in entries if _is_usable(path, extensions)]


def has_braces(path: Path | str) -> bool:
    """Whether a file's name holds { or }, which Snakemake takes for a wildcard, in files that are there too."""
    return not {"{", "}"}.isdisjoint(Path(path).name)


def how_to_make(root: Path) -> str:
    """Say how to make a dataset's folder: `fewstain init` makes those in a project's data/."""
    if root.absolute().parent.name == "data":
        return f"make it with `fewstain init {root}` and put images there"
    return f"make the folder {root / 'images'} and put images there"


def _is_usable(path: Path, extensions: tuple[str, ...]) -> bool:
    return not path.name.startswith(".") and extension(path) in extensions and path.is_file()


def open_dataset(root: Path | str) -> Dataset:
    """Read the folder's structure; no image is opened (`fewstain check` does that).

    Raises
    ------
    UserError
        No such folder, no images, two files of one stem, a label without an image, an unreadable classes.csv.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such dataset folder; {how_to_make(root)}")
    images = by_stem(list_files(root / "images"))
    if not images:
        raise UserError(f"{root / 'images'}: no images; put TIFF, PNG or JPEG files there")
    windows = []
    for name, path in by_stem(list_files(root / "labels", LABEL_EXTENSIONS)).items():
        place = parse_window(name, images)
        if place is None:
            raise UserError(f"{path}: no image of this name in {root / 'images'}; rename the label or add the image")
        windows.append(Window(name, place[0], path, place[1], place[2]))
    test = by_stem(list_files(root / "test" / "images"))
    test_labels = by_stem(list_files(root / "test" / "labels", LABEL_EXTENSIONS))
    for name, path in test_labels.items():
        if name not in test:
            raise UserError(f"{path}: no image of this name in {root / 'test' / 'images'}; rename it or add the image")
    return Dataset(
        root,
        tuple(images.values()),
        tuple(windows),
        tuple(TestImage(path, test_labels.get(name)) for name, path in test.items()),
        read_classes(root / "labels" / CLASSES_FILE),
        read_classes(root / "test" / "labels" / CLASSES_FILE),
    )


def read_classes(path: Path) -> dict[str, dict[int, str]]:
    """Read a table with the columns file, label, class; empty when there is none.

    Raises
    ------
    UserError
        Missing columns, labels that are not positive integers, empty or contradicting classes; with the line's number.
    """
    if not path.exists():
        return {}
    classes: dict[str, dict[int, str]] = {}
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.DictReader(file, skipinitialspace=True)
            if not {"file", "label", "class"} <= set(rows.fieldnames or ()):
                raise UserError(f"{path}: no columns file,label,class in its first line; save it as CSV with commas")
            for row in rows:
                _add_class(classes, row, f"{path}: line {rows.line_num}")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: unreadable ({error}); save it as CSV in UTF-8") from error
    return classes


def write_classes(path: Path, classes: Mapping[str, Mapping[int, str]]) -> None:
    """Write the table that `read_classes` reads: stem of a label file -> label -> class."""
    with atomic_path(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("file", "label", "class"))
        for name in sorted(classes):
            rows.writerows((name, label, kind) for label, kind in sorted(classes[name].items()))


def _add_class(classes: dict[str, dict[int, str]], row: Mapping[str, str | None], place: str) -> None:
    name, label, kind = ((row[key] or "").strip() for key in ("file", "label", "class"))
    if not name or not kind:
        raise UserError(f"{place}: an empty file or class; fill it in or remove the line")
    if not label.isdecimal() or int(label) == 0:
        raise UserError(f"{place}: label {label!r} is not a whole number from 1 on; use the value in the label image")
    of_file = classes.setdefault(stem(name), {})
    if of_file.setdefault(int(label), kind) != kind:
        raise UserError(f"{place}: label {label} has two classes, {of_file[int(label)]!r} and {kind!r}; keep one")


def by_stem(paths: list[Path]) -> dict[str, Path]:
    """Map each file's stem to the file; UserError when two differ only in the extension or in capitals."""
    for path, other in namesakes(paths):
        raise UserError(
            f"{path}: has the same name as {other.name} but for the extension or capitals; rename one of them"
        )
    return {stem(path): path for path in paths}
