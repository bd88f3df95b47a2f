"""A growing folder of images -> masks: only what is new, or of another model, is segmented."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fewstain.diffusion.progress import StepProgress
from fewstain.images.read import stem
from fewstain.pixels.measure import CUT, flag_images, measurement_columns
from fewstain.pixels.model import Model
from fewstain.pixels.parts import Parts, rows
from fewstain.pixels.segment import check_files, segment_files
from fewstain.settings import SegmentSettings
from fewstain.stages import CODE_VERSIONS
from fewstain.storage import atomic_path, sha256_file


def update_files(
    model: Model,
    paths: Sequence[Path],
    out: Path,
    settings: SegmentSettings,
    *,
    masks: Path | None = None,
    pixel_size_um: float | None = None,
    tell: Callable[[str], None] = lambda text: None,
) -> int:
    """Segment image files as `segment_files` does, but those only that are not there from an earlier call.

    What was found in each image is kept in out/.segmented, one part an image, so that a call that was stopped goes on
    where it was, and an added image costs one image. The tables tell of `paths`, of no others. A mask that somebody
    changed since is moved to out/corrected/ before its image is segmented again.

    Parameters
    ----------
    model, paths, settings, pixel_size_um
        As for `segment_files`.
    out
        Folder; takes masks/, uncertainty/, measurements.csv and counts.csv.
    masks
        Where masks go instead of out/masks.
    tell
        Called with what a person should know: which masks were moved, which objects are too large to be seen whole.

    Returns
    -------
    int
        How many images were segmented now.

    Raises
    ------
    UserError
        As `segment_files`; another process is writing to `out`; a mask that no call made lies where one is to go; a
        mask changed by hand has no place in out/corrected.
    """
    check_files(model, paths)
    parts = Parts(out, out / "masks" if masks is None else masks)
    names = [stem(path) for path in paths]
    with parts.work() as work:
        for moved in parts.move_edited(names):
            tell(f"{moved}: the mask of this image was changed by hand, and was moved here; a new one takes its place")
        keys = {path: _key(model, path, settings, pixel_size_um) for path in paths}
        new = [path for path in paths if not parts.is_done(stem(path), keys[path])]
        progress = StepProgress("segmenting", len(new)) if len(new) > 1 else None  # one image shows its tiles instead
        with progress or contextlib.nullcontext():
            for number, path in enumerate(new, start=1):
                row = segment_files(model, [path], work, settings, pixel_size_um=pixel_size_um, progress=not progress)
                counts = row.drop(columns=["look_at_this_one", "reason"]).to_dict("records")[0]
                parts.take(stem(path), work, keys[path], counts)
                if progress and progress.due(number):
                    progress.show(number)
        counts_of = {name: parts.counts(name) for name in names}
        _join(parts, counts_of, measurement_columns(model.record.file_channels))
    for name, row in counts_of.items():
        if row.get(CUT):
            tell(f"{parts.mask(name)}: {row[CUT]} objects are too large to be seen whole, and may be in pieces")
    return len(new)


def _key(model: Model, path: Path, settings: SegmentSettings, pixel_size_um: float | None) -> str:
    """Hash what an image's results depend on; the tables hold the names of classes, which change no mask."""
    code, named = CODE_VERSIONS["segment"], [model.record.model_hash, model.record.classes]
    facts = [code, named, sha256_file(path), settings.model_dump(mode="json"), pixel_size_um]
    return hashlib.sha256(json.dumps(facts).encode()).hexdigest()


def _join(parts: Parts, counts: dict[str, dict[str, Any]], columns: list[str]) -> None:
    """Write measurements.csv and, last, counts.csv from the parts."""
    measurements = parts.out / "measurements.csv"
    with atomic_path(measurements) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(",".join(columns) + "\n")
        for name in counts:
            file.writelines(rows(parts.table(name)))
    with atomic_path(parts.out / "counts.csv") as temporary:
        flag_images(pd.DataFrame(counts.values())).to_csv(temporary, index=False, float_format="%.10g")
