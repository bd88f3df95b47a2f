"""A growing folder of images -> masks: only what is new, or of another model, is segmented."""

from __future__ import annotations

import contextlib
import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fewstain.diffusion.progress import StepProgress
from fewstain.errors import UserError
from fewstain.images.read import stem
from fewstain.pixels.measure import flag_images, measurement_columns
from fewstain.pixels.model import Model
from fewstain.pixels.segment import check_files, segment_files
from fewstain.settings import SegmentSettings
from fewstain.stages import CODE_VERSIONS
from fewstain.storage import atomic_path, read_json, sha256_file, write_errors_named, write_json

PARTS = ".segmented"


def update_files(
    model: Model,
    paths: Sequence[Path],
    out: Path,
    settings: SegmentSettings,
    *,
    masks: Path | None = None,
    pixel_size_um: float | None = None,
) -> int:
    """Segment image files as `segment_files` does, but those only that are not there from an earlier call.

    What was found in each image is kept in out/.segmented, one part an image, so that a call that was stopped goes on
    where it was, and an added image costs one image. The tables tell of `paths`, of no others.

    Parameters
    ----------
    model, paths, settings, pixel_size_um
        As for `segment_files`.
    out
        Folder; takes masks/, uncertainty/, measurements.csv and counts.csv.
    masks
        Where masks go instead of out/masks.

    Returns
    -------
    int
        How many images were segmented now.

    Raises
    ------
    UserError
        As `segment_files`.
    """
    check_files(model, paths)
    masks = out / "masks" if masks is None else masks
    parts = out / PARTS
    keys = {path: _key(model, path, settings, pixel_size_um) for path in paths}
    new = [path for path in paths if not _is_done(path, keys[path], out, masks)]
    progress = StepProgress("segmenting", len(new)) if len(new) > 1 else None  # one image shows its tiles instead
    with progress or contextlib.nullcontext():
        for number, path in enumerate(new, start=1):
            _segment_one(model, path, out, masks, settings, pixel_size_um, keys[path], progress is None)
            if progress and progress.due(number):
                progress.show(number)
    with write_errors_named(parts):
        shutil.rmtree(parts / "work", ignore_errors=True)
    _join(out, paths, model)
    return len(new)


def _segment_one(
    model: Model,
    path: Path,
    out: Path,
    masks: Path,
    settings: SegmentSettings,
    pixel_size_um: float | None,
    key: str,
    show_tiles: bool,
) -> None:
    """Segment one image aside, then move what came of it into place; the part's record comes last."""
    name, parts, work = stem(path), out / PARTS, out / PARTS / "work"
    (parts / f"{name}.json").unlink(missing_ok=True)
    counts = segment_files(model, [path], work, settings, pixel_size_um=pixel_size_um, progress=show_tiles)
    for source, target in (
        (work / "masks" / f"{name}.tif", masks / f"{name}.tif"),
        (work / "uncertainty" / f"{name}.tif", out / "uncertainty" / f"{name}.tif"),
        (work / "measurements.csv", parts / f"{name}.csv"),
    ):
        with write_errors_named(target):
            target.parent.mkdir(parents=True, exist_ok=True)
            source.replace(target)
    row = counts.drop(columns=["look_at_this_one", "reason"]).to_dict("records")[0]
    write_json(parts / f"{name}.json", {"key": key, "counts": row})


def _is_done(path: Path, key: str, out: Path, masks: Path) -> bool:
    name = stem(path)
    part = out / PARTS / f"{name}.json"
    there = (part, part.with_suffix(".csv"), masks / f"{name}.tif", out / "uncertainty" / f"{name}.tif")
    return all(file.is_file() for file in there) and _read_part(part).get("key") == key


def _read_part(part: Path) -> dict[str, Any]:
    try:
        content = read_json(part)
    except UserError:  # damaged: the image is segmented again
        return {}
    return content if isinstance(content, dict) else {}


def _key(model: Model, path: Path, settings: SegmentSettings, pixel_size_um: float | None) -> str:
    """Hash what an image's results depend on; the tables hold the names of classes, which change no mask."""
    code, named = CODE_VERSIONS["segment"], [model.record.model_hash, model.record.classes]
    facts = [code, named, sha256_file(path), settings.model_dump(mode="json"), pixel_size_um]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _join(out: Path, paths: Sequence[Path], model: Model) -> None:
    """Write measurements.csv and, last, counts.csv from the parts."""
    parts = [out / PARTS / f"{stem(path)}.json" for path in paths]
    with atomic_path(out / "measurements.csv") as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(measurement_columns(model.record.file_channels)) + "\n")
        for part in parts:
            file.writelines(_rows(part.with_suffix(".csv")))
    counts = flag_images(pd.DataFrame([_read_part(part)["counts"] for part in parts]))
    with atomic_path(out / "counts.csv") as temporary:
        counts.to_csv(temporary, index=False, float_format="%.10g")


def _rows(table: Path) -> Iterator[str]:
    """Lines of a table but the first."""
    with table.open(encoding="utf-8", newline="") as file:
        next(file, None)
        yield from file
