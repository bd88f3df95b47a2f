"""Checks of image files: readable, one kind, large enough, no duplicates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fewstain.check.report import CheckReport
from fewstain.dataset import has_braces, list_files
from fewstain.errors import UserError
from fewstain.images.plane import is_rgb
from fewstain.images.read import content_hash, extension, namesakes, read_image, stem


@dataclass(frozen=True)
class ImageFacts:
    """What remains of an image once it was read; its pixels are not kept."""

    path: Path
    height: int
    width: int
    channels: int
    dtype: str
    pixel_size_um: float | None
    hash: str
    constant: bool
    oblong_um: tuple[float, float] | None = None
    rgb: bool = False

    @property
    def kind(self) -> tuple[int, str]:
        """Channels and dtype, which all images of a dataset share."""
        return self.channels, self.dtype


NO_IMAGES = ("Thumbs.db", "desktop.ini", "classes.csv", "README.md")  # are not meant to be any


def is_ignored(path: Path) -> bool:
    """Whether a file lies among images or labels without being meant as one."""
    return path.name.startswith(".") or path.name in NO_IMAGES


def unique_files(folder: Path, extensions: tuple[str, ...], report: CheckReport) -> dict[str, Path]:
    """Stem -> file of every file with one of the extensions; what cannot be used is reported."""
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    usable = list_files(folder, extensions)
    twice = dict(namesakes(usable))
    for path in usable:
        if path in twice:
            fault = f"has the same name as {twice[path].name} but for the extension or capitals"
            report.error(path, fault, "rename one of the two")
        else:
            found[stem(path)] = path
        if has_braces(path):
            report.error(path, "{ or } in its name, which Snakemake takes for a wildcard", "rename it")
    for path in sorted(set(folder.iterdir()) - set(usable)):
        if is_ignored(path):
            continue
        if path.is_symlink() and not path.exists():
            report.error(path, "a link to a file that is not there", "mend or remove the link")
        elif path.is_dir():
            report.warn(path, "a folder, not read", f"move its files to {folder} if they belong to the dataset")
        elif extension(path) not in extensions:
            report.warn(path, "not a format that is read here, left out", "save it as TIFF, or remove it")
    return found


def read_facts(path: Path, report: CheckReport) -> ImageFacts | None:
    """Read one image whole; None, and an error in the report, when it cannot be read."""
    try:
        image = read_image(path)
    except UserError as error:
        report.refuse(path, error)
        return None
    report.note(path, image.notes)
    pixels = image.pixels
    height, width, channels = pixels.shape
    constant = bool(np.all(pixels == pixels[:1, :1])) if pixels.size else True
    return ImageFacts(
        path,
        height,
        width,
        channels,
        str(pixels.dtype),
        image.pixel_size_um,
        content_hash(pixels),
        constant,
        image.oblong_um,
        image.rgb,
    )


def check_kinds(pool: Sequence[ImageFacts], test: Sequence[ImageFacts], report: CheckReport) -> None:
    """Mixed channel counts or bit depths: every file that differs from the commonest kind of the pool."""
    if not pool:
        return
    kinds = Counter(facts.kind for facts in pool)
    common, count = kinds.most_common(1)[0]
    report.channels, report.dtype = common
    for facts in (*pool, *test):
        if facts.kind != common:
            report.error(
                facts.path,
                f"{_kind(facts.kind)}, where {count} of {len(pool)} images in the pool have {_kind(common)}",
                "convert it, or put each kind into a dataset of its own",
            )


def check_colours(
    folder: Path, pool: Sequence[ImageFacts], channels: Sequence[int] | None, report: CheckReport
) -> None:
    """Say what three channels of 8 bits are taken for, colours or not: their files tell, and may be wrong.

    Parameters
    ----------
    folder
        The images of the pool lie in it.
    channels
        Those that are to be segmented; all when None.
    """
    pictures = [facts for facts in pool if is_rgb(facts.channels, np.dtype(facts.dtype))]
    if not pictures or (channels is not None and len(channels) != 3):
        return
    coloured = [facts for facts in pictures if facts.rgb]
    if not coloured:
        report.notes.append(
            f"{folder}: {len(pictures)} images of three channels, which are no colours by their files: each channel is "
            "normalised by itself; if they are red, green and blue, save them as RGB"
        )
    elif len(coloured) == len(pictures):
        report.notes.append(
            f"{folder}: {len(pictures)} images are RGB by their files: the three channels are normalised together, "
            "which keeps colours; if they are three stains, save them as OME-TIFF or ImageJ hyperstack with three "
            "channels, or name the ones to segment, one or two, under `channels:` in config.yaml"
        )
    else:
        few = min(coloured, [facts for facts in pictures if not facts.rgb], key=len)
        for facts in few:
            report.warn(
                facts.path,
                f"{'RGB' if facts.rgb else 'three channels that are not RGB'}, by its file, unlike "
                f"{len(pictures) - len(few)} of {len(pictures)} images: each channel is normalised by itself in all",
                "save all of them as RGB, or none",
            )


def check_sizes(images: Sequence[ImageFacts], least_side: int, report: CheckReport) -> None:
    """Images too small for the model, and constant ones."""
    for facts in images:
        if min(facts.height, facts.width) < least_side:
            report.error(
                facts.path,
                f"{facts.height} × {facts.width} pixels, too small for the model",
                f"use images of at least {least_side} × {least_side}",
            )
        if facts.constant:
            report.warn(facts.path, "every pixel has the same value", "remove it if it is a failed exposure")


def check_pixel_sizes(pool: Sequence[ImageFacts], report: CheckReport) -> None:
    """Pool images of clearly different magnification (more than 10 % from the median)."""
    known = [facts for facts in pool if facts.pixel_size_um]
    if not known:
        return
    median = float(np.median([facts.pixel_size_um or 0.0 for facts in known]))
    for facts in known:
        if facts.pixel_size_um and abs(facts.pixel_size_um / median - 1) > 0.1:
            report.warn(
                facts.path,
                f"{facts.pixel_size_um:.4g} µm a pixel, where the median of the pool is {median:.4g}",
                "label windows of every magnification, or put each into a dataset of its own",
            )


def check_square_pixels(images: Sequence[ImageFacts], pixel_size_um: float | None, report: CheckReport) -> None:
    """Pixels that are higher than wide, or the other way round, where no size is configured that stands for both."""
    for facts in images:
        if facts.oblong_um and not pixel_size_um:
            height, width = facts.oblong_um
            report.warn(
                facts.path,
                f"pixels of {height:.4g} µm (height) × {width:.4g} µm (width), not square: nothing is measured in µm",
                "resample to square pixels, or set pixel_size_um",
            )


def check_duplicates(pool: Sequence[ImageFacts], test: Sequence[ImageFacts], report: CheckReport) -> None:
    """Equal pixels twice in the pool (a warning), or in the test and the pool (an error)."""
    seen: dict[str, Path] = {}
    for facts in pool:
        first = seen.setdefault(facts.hash, facts.path)
        if first is not facts.path:
            report.warn(facts.path, f"has the same pixels as {first.name}", "remove one of the two")
    for facts in test:
        if facts.hash in seen:
            report.error(
                facts.path,
                f"has the same pixels as {seen[facts.hash]} in the pool, so its score would not be honest",
                "remove one of the two",
            )


def _kind(kind: tuple[int, str]) -> str:
    channels, dtype = kind
    return f"{channels} channel{'s' if channels != 1 else ''} of {dtype}"
