"""Masks and pairs of a results folder -> a folder in another program's format, whole or not at all."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fewstain import __version__
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.diffusion.progress import StepProgress
from fewstain.errors import UserError
from fewstain.export.formats import Format, writer_of
from fewstain.export.objects import Tally
from fewstain.export.samples import Collection, Sample, find_collections
from fewstain.export.writer import Writer
from fewstain.storage import read_json, write_json

RECORD_FILE = "fewstain-export.json"


@dataclass(frozen=True)
class Exported:
    """One collection as it was written: where, how much, and what the user should know."""

    folder: Path
    tally: Tally
    notes: tuple[str, ...]


def export_results(
    results: Path | str,
    kind: Format,
    out: Path | str,
    data: Path | str | None = None,
    pixel_size_um: float | None = None,
    *,
    corrected: bool = True,
) -> list[Exported]:
    """Write the masks of a results folder, and its synthetic pairs if there are any, in one format.

    Each goes to a folder of its own in `out`: masks/ and pairs/ (for nnU-Net Dataset501_… and Dataset502_…). One image
    is in memory at a time. fewstain-export.json in `out` says what was written.

    Parameters
    ----------
    results
        A results folder, with masks/ or pairs/ or both.
    kind
        The format.
    out
        A new folder, or one that an earlier export wrote and nobody added to, which is replaced.
    data
        The dataset's folder; by default what the results' dataset.json says.
    pixel_size_um
        Side of a pixel where neither the images nor dataset.json tell.
    corrected
        Whether masks that a person corrected take the place of the predicted ones.

    Raises
    ------
    UserError
        Nothing to export, images not found or damaged, `out` not an export's folder, a package not installed.
    """
    results, out = Path(results), Path(out)
    if out.name in ("", ".."):
        out = out.resolve()
    writer = writer_of(kind)
    _check_out(out)
    collections = find_collections(
        results,
        Path(data) if data is not None else None,
        pixel_size_um,
        images=writer.needs_images,
        corrected=corrected,
    )
    with replaced_folder(out) as fresh:
        exported = [_write(writer, collection, results, fresh) for collection in collections]
        write_json(fresh / RECORD_FILE, _record(kind, fresh, exported))
    return [Exported(out / item.folder.name, item.tally, item.notes) for item in exported]


def _write(writer: type[Writer], collection: Collection, results: Path, out: Path) -> Exported:
    made = writer(out / writer.folder_name(results.resolve().name, collection.name))
    tally = Tally()
    with StepProgress(f"exporting {collection.name}", len(collection.samples)) as progress:
        for done, sample in enumerate(collection.samples, start=1):
            _add(made, sample, tally)
            if progress.due(done):
                progress.show(done)
    notes = [*collection.notes, *made.finish()]
    for count, words in ((tally.in_pieces, "in several pieces"), (tally.with_holes, "with holes")):
        if count:
            notes.append(f"{count} object{'s' if count > 1 else ''} {words}: {writer.odd_objects}")
    return Exported(made.folder, tally, tuple(notes))


def _add(made: Writer, sample: Sample, tally: Tally) -> None:
    labels = sample.read_labels()
    tally.add(labels)
    made.add(sample.checked(labels.shape), labels)


def _record(kind: Format, out: Path, exported: list[Exported]) -> dict[str, Any]:
    written = {item.folder.name: {**asdict(item.tally), "notes": item.notes} for item in exported}
    return {"format": kind.value, "fewstain": __version__, "folders": written, "files": sorted(_entries(out))}


def _check_out(out: Path) -> None:
    """Refuse a folder with anything in it that an earlier export did not write, such as a model trained there."""
    record = out / RECORD_FILE
    content = read_json(record) if record.is_file() else {}
    files = content.get("files") if isinstance(content, dict) else None
    known = set(files) if isinstance(files, list) else set()
    check_replaceable(out, {Path(name).parts[0] for name in known} | {RECORD_FILE}, "an export")
    if out.is_dir():
        foreign = sorted(_entries(out) - known - {RECORD_FILE})
        if foreign:
            raise UserError(
                f"{out}: holds {foreign[0]!r}, which the export did not write; move it away or choose another folder"
            )


def _entries(out: Path) -> set[str]:
    """Files under a folder, and OME-Zarr's folders as one, relative and with slashes."""
    found = set()
    for folder, folders, files in os.walk(out):
        whole = [name for name in folders if name.endswith(".zarr")]
        folders[:] = [name for name in folders if name not in whole]
        found |= {(Path(folder) / name).relative_to(out).as_posix() for name in (*whole, *files)}
    return found
