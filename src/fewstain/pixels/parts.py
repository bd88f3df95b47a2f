"""What was found in each image of a folder of results: out/.segmented, one part an image, a record and a table."""

from __future__ import annotations

import contextlib
import csv
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.lock import sole_writer
from fewstain.pixels.decisions import CORRECTED
from fewstain.storage import read_json, sha256_file, write_errors_named, write_json

FOLDER = ".segmented"
WORK = "work"


@dataclass(frozen=True)
class Parts:
    """The parts of a folder of results.

    Attributes
    ----------
    out
        The folder; its masks may lie elsewhere.
    masks
        Where they lie.
    """

    out: Path
    masks: Path

    @property
    def folder(self) -> Path:
        """Where the parts lie."""
        return self.out / FOLDER

    def mask(self, name: str) -> Path:
        """Mask of an image."""
        return self.masks / f"{name}.tif"

    def uncertainty(self, name: str) -> Path:
        """Map of an image's uncertainty."""
        return self.out / "uncertainty" / f"{name}.tif"

    def table(self, name: str) -> Path:
        """Measurements of an image's objects."""
        return self.folder / f"{name}.csv"

    def counts(self, name: str) -> dict[str, Any]:
        """Row of an image in counts.csv, before `flag_images`."""
        return self._read(name)["counts"]

    def is_done(self, name: str, key: str) -> bool:
        """Whether all of an image is there, made from what `key` stands for, and belongs together."""
        files = (self.table(name), self.mask(name), self.uncertainty(name))
        part = self._read(name)
        return (
            part.get("key") == key
            and ("masks" not in part or part["mask"] in part["masks"].get(self._place, ()))
            and all(file.is_file() for file in files)
            and _is_table_of(self.table(name), name, part["counts"]["objects"])
        )

    def take(self, name: str, work: Path, key: str, counts: dict[str, Any]) -> None:
        """Move what `segment_files` made of one image in `work` into place; the part's record comes last.

        Until then the record tells of masks only, the one before and the new one: whenever this is stopped, the image
        is segmented again, and its mask known as one that nobody changed.
        """
        mask = sha256_file(work / "masks" / f"{name}.tif")
        masks = self._read(name).get("masks", {})
        started = masks | {self._place: [*self._known(name), mask]}
        write_json(self._record(name), {"masks": started})
        for source, target in (
            (work / "masks" / f"{name}.tif", self.mask(name)),
            (work / "uncertainty" / f"{name}.tif", self.uncertainty(name)),
            (work / "measurements.csv", self.table(name)),
        ):
            with write_errors_named(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                source.replace(target)
        ended = masks | {self._place: [mask]}
        write_json(self._record(name), {"key": key, "mask": mask, "masks": ended, "counts": counts})

    def move_edited(self, names: Sequence[str]) -> list[Path]:
        """Move masks that somebody changed since they were made to out/corrected, so that nothing overwrites them.

        A part tells what each folder of masks got from it. One of an earlier version tells of its mask but not of the
        folder, and is taken to be of this one; if it tells nothing of its mask, that is taken as it is.

        Returns
        -------
        list of Path
            Where they are now.

        Raises
        ------
        UserError
            A mask that no part tells of; a changed one that is no label image, or whose image has a correction already.
            None is moved then.
        """
        for name in names:
            if self.mask(name).is_file() and not self._known(name):
                raise UserError(
                    f"{self.mask(name)}: not made by runs into {self.out}; give another --masks, or move it elsewhere"
                )
        moves = {self.mask(name): self.out / CORRECTED / f"{name}.tif" for name in names if self.is_edited(name)}
        for mask, target in moves.items():
            _check_move(mask, target)
        for mask, target in moves.items():
            with write_errors_named(target):
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(mask, target)
        return list(moves.values())

    def is_edited(self, name: str) -> bool:
        """Whether somebody changed an image's mask since it was made; False where that is not known."""
        known = self._known(name)
        return bool(known) and self.mask(name).is_file() and sha256_file(self.mask(name)) not in known

    @contextlib.contextmanager
    def work(self) -> Iterator[Path]:
        """Keep other processes out, and give a folder to work in that no other process has; it is removed in the end.

        Raises
        ------
        UserError
            Another process is at work here; the folder cannot be written.
        """
        busy = f"{self.out}: another `fewstain segment` is writing here; let it end first, or give another --out"
        with sole_writer(self.folder, busy) as alone:
            if alone:  # so whoever left these was killed
                for left in self.folder.glob(f"{WORK}*/"):
                    shutil.rmtree(left, ignore_errors=True)
            work = self.folder / f"{WORK}-{secrets.token_hex(4)}"
            try:
                yield work
            finally:
                shutil.rmtree(work, ignore_errors=True)

    @property
    def _place(self) -> str:
        """Where the masks lie, as seen from `out`, so that both can be moved or copied together."""
        masks, out = self.masks.resolve(), self.out.resolve()
        try:
            return Path(os.path.relpath(masks, out)).as_posix()
        except ValueError:  # on another drive of Windows
            return masks.as_posix()

    def _record(self, name: str) -> Path:
        return self.folder / f"{name}.json"

    def _read(self, name: str) -> dict[str, Any]:
        """Record of a part; empty where there is none, or a damaged one: the image is segmented again."""
        try:
            part = read_json(self._record(name))
        except UserError:
            return {}
        return part if isinstance(part, dict) and ("masks" in part or isinstance(part.get("counts"), dict)) else {}

    def _known(self, name: str) -> list[str]:
        """SHA-256 of the masks that were made here of an image; where its record is silent, of the one there is."""
        part = self._read(name)
        if "masks" in part:
            return part["masks"].get(self._place, [])
        if "mask" in part:
            return [part["mask"]]
        taken = self._record(name).exists() and self.mask(name).is_file()
        return [sha256_file(self.mask(name))] if taken else []


def rows(table: Path) -> Iterator[str]:
    """Lines of a table but the first."""
    with table.open(encoding="utf-8", newline="") as file:
        next(file, None)
        yield from file


def _is_table_of(table: Path, name: str, objects: int) -> bool:
    """Whether a table has as many rows as there are objects, all of this image."""
    try:
        with table.open(encoding="utf-8", newline="") as file:
            images = [row[:1] for row in csv.reader(file)]
    except (OSError, UnicodeDecodeError, csv.Error):
        return False
    return images == [["image"], *[[name]] * objects]


def _check_move(mask: Path, target: Path) -> None:
    """Raise UserError where an edited mask cannot become a correction."""
    taken = [path for path in (target, target.with_suffix(".csv")) if path.exists()]
    if taken:
        raise UserError(
            f"{mask}: changed by hand since it was made, but {taken[0]} is a correction of this image already; "
            "move one of the two elsewhere, and run again"
        )
    try:
        read_labels(mask)
    except UserError as error:
        raise UserError(
            f"{mask}: changed since it was made, and no mask ({error}); remove it, and run again"
        ) from error
