"""dataset.json: which files a results folder comes from, by hash, and where they were."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fewstain.dataset import CLASSES_FILE, open_dataset
from fewstain.errors import UserError
from fewstain.storage import read_json, sha256_file, write_json

RECORD_FILE = "dataset.json"
DENOISER = "diffusion/fewstain.json"
"""What tells, in a results folder, that a denoiser was trained."""
GIVE_DATA = "give its folder with --data"
"""What to do, where there is a command line, about a dataset that is not where its results say."""


def write_record(
    path: Path, root: Path, pixel_sizes_um: Mapping[str, float | None], pixel_size_um: float | None = None
) -> None:
    """Write what is in a dataset folder.

    Parameters
    ----------
    path
        dataset.json; the dataset's place is told relative to its folder (absolute on another drive), with slashes.
    root
        The dataset folder.
    pixel_sizes_um
        Pool image's file name -> side of a pixel as the file tells.
    pixel_size_um
        For files that don't tell.

    Raises
    ------
    UserError
        The folder is no dataset, or `path` cannot be written.
    """
    dataset = open_dataset(root)
    classes = [found for found in (root / "labels" / CLASSES_FILE,) if found.is_file()]
    groups = {
        "images": dataset.images,
        "labels": (*(window.labels for window in dataset.windows), *classes),
        "test/images": tuple(image.image for image in dataset.test),
        "test/labels": tuple(image.labels for image in dataset.test if image.labels is not None),
    }
    sizes = {name: size or pixel_size_um for name, size in pixel_sizes_um.items()}
    content: dict[str, Any] = {"path": _relative(root, path.parent), "pixel_size_um": pixel_size_um}
    content["pixel_sizes_um"] = sizes
    content["sha256"] = {group: {file.name: sha256_file(file) for file in files} for group, files in groups.items()}
    write_json(path, content)


def find_dataset(results: Path, given: Path | None = None, remedy: str = GIVE_DATA) -> Path:
    """Find the dataset that a results folder comes from.

    Parameters
    ----------
    results
        A results folder with a dataset.json.
    given
        What the user said with `--data`.
    remedy
        What to do when it is not found, as the error says it.

    Raises
    ------
    UserError
        No dataset.json, or nothing where it points to; `given` is no dataset.
    """
    if given is not None:
        return given_dataset(given)
    record = results / RECORD_FILE
    content = read_json(record)
    place = content.get("path") if isinstance(content, dict) else None
    if not isinstance(place, str):
        raise UserError(f"{record}: does not say where the dataset is; {remedy}")
    root = results / place
    if not root.is_dir():
        raise UserError(f"{record}: the dataset was at {root}, where it no longer is; {remedy}")
    return Path(os.path.normpath(root))


def given_dataset(folder: Path) -> Path:
    """Return what the user said with `--data`; UserError where it is no dataset's folder."""
    if not (folder / "images").is_dir():
        raise UserError(f"--data {folder}: no images/ in it; give data/<dataset>")
    return folder


def unseen_images(results: Path) -> tuple[int, int]:
    """Count the images of a results folder that its denoiser was not trained on, by the hashes of their files.

    Parameters
    ----------
    results
        A results folder; without a dataset.json or a denoiser in it, all images count as seen.

    Returns
    -------
    unseen, all : int
        Images of the pool.

    Raises
    ------
    UserError
        One of the two records is damaged.
    """
    record, trained = results / RECORD_FILE, results / DENOISER
    if not (record.is_file() and trained.is_file()):
        return 0, 0
    try:
        images = read_json(record)["sha256"]["images"].values()
        seen = {image["sha256"] for image in read_json(trained)["pool"]}
    except (KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{record} or {trained}: damaged, lacks {error}; run the workflow again") from error
    return sum(sha256 not in seen for sha256 in images), len(images)


def tell_unseen(results: Path) -> str:
    """Say how many images the denoiser of a results folder has not seen, and what to do; "" where it saw all."""
    unseen, count = unseen_images(results)
    if not unseen:
        return ""
    return (
        f"{unseen} of {count} images were not there when the denoiser was trained; "
        "set `retrain: true` in config.yaml if they look different"
    )


def _relative(root: Path, start: Path) -> str:
    try:
        return Path(os.path.relpath(root.resolve(), start.resolve())).as_posix()
    except ValueError:  # another drive, on Windows
        return root.resolve().as_posix()
