"""Few-label trials of a stain, as dataset folders.

A benchmark stain's folder holds `images/` (the pool), `full-labels/` (its instance labels), `test/images`,
`test/labels` and `few-labels.json`: {"crop": side in pixels, "seeds": {"0": [{"image", "y", "x"}, …], …}}; the first n
windows of a seed are its n-label trial. Any dataset folder that has test/ will do as well: its label files, in an order
drawn by the seed, take the place of the windows.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tifffile

from fewstain.dataset import by_stem, list_files
from fewstain.errors import UserError
from fewstain.images.read import IMAGE_EXTENSIONS, LABEL_EXTENSIONS, content_hash, image_size, read_image
from fewstain.storage import read_json, sha256_file

WINDOWS_FILE = "few-labels.json"
FULL_LABELS = "full-labels"
MARK = "trial.json"
_FOLDERS = {"images": IMAGE_EXTENSIONS, "test/images": IMAGE_EXTENSIONS, "test/labels": LABEL_EXTENSIONS}


def build_dataset(source: Path, out: Path, n_labels: int | None, seed: int) -> Path:
    """Make a dataset folder of one trial: the pool's images, `n_labels` labeled windows, the test images.

    Files are linked; windows of a benchmark stain are cut from its full labels and written as
    `labels/<image>__y<row>_x<column>.tif`. What was in `out` before is replaced.

    Parameters
    ----------
    source
        Folder of the stain, see above.
    out
        The dataset folder to make; must not exist, or be one that this function made.
    n_labels
        Windows to take, in the order of the list; None for all labels there are, whole images where the stain has them.
    seed
        Which of the lists, or which order of a dataset's label files.

    Returns
    -------
    Path
        `out`.

    Raises
    ------
    UserError
        The stain has no such seed, fewer windows or no labeled test images; `out` holds something else.
    """
    source = source.resolve()
    _empty(out)
    for folder, extensions in _FOLDERS.items():
        _link(list_files(source / folder, extensions), out / folder)
    refuse_untested(source)
    labels = out / "labels"
    if n_labels is None and (source / FULL_LABELS).is_dir():
        _link(list_files(source / FULL_LABELS, LABEL_EXTENSIONS), labels)
    elif (source / WINDOWS_FILE).is_file():
        _cut_windows(source, labels, n_labels, seed)
    else:
        files = labeled_files(source, seed)
        if n_labels is not None and not 1 <= n_labels <= len(files):
            raise UserError(f"{source / 'labels'}: {len(files)} label files, not {n_labels}; ask for no more")
        _link(files[:n_labels], labels)
    (out / MARK).write_text(json.dumps({"stain": source.name, "n_labels": n_labels, "seed": seed}))
    return out


def available_labels(source: Path, seeds: Sequence[int] = ()) -> int:
    """Count the labeled windows that a trial of any of the seeds may take.

    Raises
    ------
    UserError
        No such folder, no labels in it, or no windows of a seed.
    """
    if not source.is_dir():
        raise UserError(f"{source}: no such folder; name a stain's or a dataset's folder under `benchmark: stains`")
    if (source / WINDOWS_FILE).is_file():
        listed = read_json(source / WINDOWS_FILE)["seeds"]
        for seed in seeds:
            if str(seed) not in listed:
                raise UserError(f"{source / WINDOWS_FILE}: no windows of seed {seed}; seeds: {', '.join(listed)}")
        return min(len(windows) for windows in listed.values())
    files = list_files(source / "labels", LABEL_EXTENSIONS)
    if not files:
        raise UserError(f"{source / 'labels'}: no labels; a benchmark needs some, and test/labels")
    return len(files)


def refuse_untested(source: Path) -> None:
    """Raise UserError where no test image has labels: no method could be scored."""
    folder = source / "test" / "labels"
    if not list_files(folder, LABEL_EXTENSIONS):
        raise UserError(
            f"{folder}: no labels of test images; a method can't be scored without; put some there, or leave the stain "
            "out"
        )


def refuse_tests_in_pool(source: Path) -> None:
    """Raise UserError where a test image has the pixels of one of the pool: its score would not be honest.

    Of the pool only images of a test image's size are read.
    """
    tests = {content_hash(read_image(path).pixels): path for path in list_files(source / "test/images")}
    sizes = {image_size(path) for path in tests.values()}
    for path in list_files(source / "images"):
        if image_size(path) in sizes and (test := tests.get(content_hash(read_image(path).pixels))):
            raise UserError(
                f"{test}: has the same pixels as {path} in the pool, so its score would not be honest; "
                "remove one of the two"
            )


def labeled_files(source: Path, seed: int) -> list[Path]:
    """Label files of a dataset, in an order that the seed draws."""
    files = list_files(source / "labels", LABEL_EXTENSIONS)
    return [files[index] for index in np.random.default_rng(seed).permutation(len(files))]


def fingerprint(source: Path) -> str:
    """Hash what a trial is made of: labels by content, images, which may be many, by name and size.

    An image that was replaced by another of the same name and size is therefore not noticed; delete its stain's cells,
    and what was learned from its pool, to run them again.
    """
    parts: list[str] = []
    for folder in ("labels", FULL_LABELS, "test/labels"):
        parts += [f"{folder}/{path.name}:{sha256_file(path)}" for path in list_files(source / folder, LABEL_EXTENSIONS)]
    for folder in ("images", "test/images"):
        parts += [f"{folder}/{path.name}:{path.stat().st_size}" for path in list_files(source / folder)]
    if (source / WINDOWS_FILE).is_file():
        parts.append(sha256_file(source / WINDOWS_FILE))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def _cut_windows(source: Path, labels: Path, n_labels: int | None, seed: int) -> None:
    few = read_json(source / WINDOWS_FILE)
    windows = few["seeds"].get(str(seed))
    if windows is None or (n_labels is not None and not 1 <= n_labels <= len(windows)):
        raise UserError(f"{source.name} has no {n_labels} windows of seed {seed}; seeds: {', '.join(few['seeds'])}")
    full = by_stem(list_files(source / FULL_LABELS, LABEL_EXTENSIONS))
    labels.mkdir()
    for window in windows[:n_labels]:
        y, x, side = window["y"], window["x"], few["crop"]
        pixels = tifffile.imread(full[window["image"]])
        path = labels / f"{window['image']}__y{y}_x{x}.tif"
        tifffile.imwrite(path, pixels[y : y + side, x : x + side], compression="zlib")


def _link(files: list[Path], folder: Path) -> None:
    folder.mkdir(parents=True)
    for path in files:
        (folder / path.name).symlink_to(path.resolve())


def _empty(out: Path) -> None:
    """Remove an earlier trial; links are removed, never what they point to."""
    if not out.exists():
        return
    if any(out.iterdir()) and not (out / MARK).is_file():
        raise UserError(f"{out}: exists and is no trial; give another folder")
    shutil.rmtree(out)
