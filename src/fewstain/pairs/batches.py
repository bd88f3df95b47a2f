"""Pairs on disk, batch by batch: made in any order, by any number of jobs, each batch once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fewstain.diffusion.folder import replaced_folder
from fewstain.diffusion.progress import StepProgress
from fewstain.errors import UserError
from fewstain.images.write import write_image, write_labels
from fewstain.pairs.generators import BatchedGenerator, batch_numbers, count_batches
from fewstain.pairs.scores import PairScores
from fewstain.storage import read_json, write_errors_named, write_json

IDENTITY_FILE, SCORES_FILE = "request.json", "scores.json"
ASKED = "for-"  # begins the name of a file for each --out that the batches of a folder were asked for
IMAGES, LABELS = "images", "labels"


def pair_name(number: int) -> str:
    """Name of a pair's files, without extension."""
    return f"pair-{number:06d}"


def open_state(state: Path, identity: Mapping[str, Any], out: Path) -> Path:
    """Make, or find, the folder of the batches of some pairs; other pairs have another folder in `state`.

    So jobs that begin at once cannot get in each other's way, and what was changed and is changed back goes on.

    Parameters
    ----------
    identity
        All that the pairs depend on.
    out
        Where they are to be gathered; batches of the same pairs serve every such folder.
    """
    folder = state / folder_name(identity)
    with write_errors_named(state):
        folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / IDENTITY_FILE, dict(identity))
    write_json(_asked_file(folder, out), {"out": _place(folder, out)})
    return folder


def folder_name(identity: Mapping[str, Any]) -> str:
    """Name of the folder of the batches of some pairs: 12 digits of a hash."""
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:12]


def last_asked_for(state: Path, out: Path | None = None) -> Path:
    """Folder of the pairs that were asked for last; of several, those for `out`, where it is given.

    Raises
    ------
    UserError
        If there are none; if there are several, and none for `out`.
    """
    folders = _requests(state)
    asked = [file for folder in folders for file in folder.glob(f"{ASKED}*.json")]
    if not asked:
        raise UserError(f"{state}: no pairs there; run `fewstain pairs` with the same --out or --state first")
    if out is not None and len(folders) > 1:
        own = [file for file in asked if file.name == _asked_file(file.parent, out).name]
        if not own:
            others = ", ".join(sorted({str(read_json(file)["out"]) for file in asked}))
            raise UserError(f"{state}: pairs for {others} there, and none for {out}; give the --out they were made for")
        asked = own
    return max(asked, key=lambda file: file.stat().st_mtime_ns).parent


def forget_others(folder: Path, out: Path) -> None:
    """Delete the batches of other pairs that were asked for the same `out` and for no other folder."""
    for other in _requests(folder.parent):
        asked = _asked_file(other, out)
        if other != folder and asked.is_file():
            asked.unlink()
            if not list(other.glob(f"{ASKED}*.json")):
                shutil.rmtree(other)


def _requests(state: Path) -> list[Path]:
    """Folders of batches: those whose name says what their request does, so that nothing else is taken for one."""
    files = state.glob(f"{'[0-9a-f]' * 12}/{IDENTITY_FILE}")
    return [file.parent for file in files if folder_name(read_json(file)) == file.parent.name]


def _asked_file(folder: Path, out: Path) -> Path:
    return folder / f"{ASKED}{hashlib.sha256(_place(folder, out).encode()).hexdigest()[:12]}.json"


def _place(folder: Path, out: Path) -> str:
    """Where `out` lies as seen from the folder of all batches, for both may be moved, or be seen from elsewhere."""
    try:
        return Path(os.path.relpath(out.resolve(), folder.parent.resolve())).as_posix()
    except ValueError:  # another drive, on Windows
        return out.resolve().as_posix()


def batch_folder(state: Path, batch: int) -> Path:
    """Folder of a batch; it appears whole."""
    return state / f"batch-{batch:06d}"


def shard_batches(n: int, batch_size: int, shard: int, shards: int) -> range:
    """Batches of a shard, counted from 1: every so-many-th."""
    return range(shard - 1, count_batches(n, batch_size), shards)


def missing_batches(state: Path, batches: Sequence[int]) -> list[int]:
    """Which of the batches are not made yet."""
    return [batch for batch in batches if not batch_folder(state, batch).is_dir()]


def make_batches(generator: BatchedGenerator, state: Path, batches: Sequence[int], n: int, seed: int) -> int:
    """Make the batches that are not there yet.

    Parameters
    ----------
    generator
        Its batch size is that of the batches.
    state
        As `open_state` made it.
    batches
        Numbers, counted from 0.
    n, seed
        Of all pairs.

    Returns
    -------
    int
        Batches made.
    """
    missing = missing_batches(state, batches)
    total = sum(len(batch_numbers(batch, n, generator.batch_size)) for batch in batches)
    absent = sum(len(batch_numbers(batch, n, generator.batch_size)) for batch in missing)
    done = total - absent
    if not missing:
        return 0
    with StepProgress("making pairs", total, done=done) as progress:
        for batch in missing:
            numbers = batch_numbers(batch, n, generator.batch_size)
            with replaced_folder(batch_folder(state, batch)) as folder:
                scores, start = [], time.monotonic()
                for number, pair in zip(numbers, generator.batch(numbers, seed), strict=True):
                    write_image(folder / IMAGES / f"{pair_name(number)}.tif", pair.image, rgb=pair.rgb)
                    write_labels(folder / LABELS / f"{pair_name(number)}.tif", pair.labels)
                    scores.append({"number": number, **asdict(pair.scores)})
                write_json(folder / SCORES_FILE, {"scores": scores, "seconds": time.monotonic() - start})
            done += len(numbers)
            if progress.due(done):
                progress.show(done)
    return len(missing)


def read_scores(state: Path, n: int, batch_size: int) -> list[PairScores]:
    """Scores of all pairs, by number.

    Raises
    ------
    UserError
        If a batch is not there yet.
    """
    return [scores for _, scores in _rows(state, n, batch_size)]


def seconds_taken(folder: Path) -> float:
    """Sum what all batches took to make, without opening the networks."""
    return float(sum(read_json(path)["seconds"] for path in folder.glob(f"batch-*/{SCORES_FILE}")))


def pair_files(state: Path, number: int, batch_size: int) -> tuple[Path, Path]:
    """Image and labels of a pair."""
    folder, name = batch_folder(state, number // batch_size), f"{pair_name(number)}.tif"
    return folder / IMAGES / name, folder / LABELS / name


def _rows(state: Path, n: int, batch_size: int) -> Iterator[tuple[int, PairScores]]:
    for batch in range(count_batches(n, batch_size)):
        path = batch_folder(state, batch) / SCORES_FILE
        if not path.is_file():
            every = range(count_batches(n, batch_size))
            missing = f"{len(missing_batches(state, every))} of {len(every)} batches"
            raise UserError(f"{state}: {missing} are not made yet; run the other shards")
        for row in read_json(path)["scores"]:
            yield row.pop("number"), PairScores(**row)
