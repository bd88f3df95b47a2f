"""Cells and pretrainings in processes of their own: what kills one is written down, and the benchmark goes on."""

from __future__ import annotations

import shutil
import tempfile
import time
import traceback
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from fewstain.benchmark.cell_run import CellRun
from fewstain.benchmark.child import in_child
from fewstain.benchmark.machine import peak_memory_of_children
from fewstain.benchmark_settings import FAILED
from fewstain.errors import TrainingError, UserError
from fewstain.storage import read_json, write_json

FACTS_FILE, RESULT_FILE = "facts.json", "cell.json"  # of a cell's working folder
FAILED_FILE = "failed.json"  # in place of what a pretraining would have written


def guarded_cell(run: CellRun, out: Path, work: Path | None = None) -> dict[str, Any]:
    """Run a cell as `run_cell` does, in a process of its own; one that is killed (out of memory) has failed.

    Raises
    ------
    UserError, KeyboardInterrupt, SystemExit
        The stain is not as it must be; somebody stopped it. Nothing is written then.
    """
    place = Path(tempfile.mkdtemp(prefix="fewstain-")) if work is None else work
    facts, result = place / FACTS_FILE, place / RESULT_FILE
    start = time.monotonic()
    try:
        for path in (facts, result):
            path.unlink(missing_ok=True)
        killed = in_child(_run_cell, run, place)
        if killed is None or result.is_file():  # all was done when it was killed
            content = read_json(result)
        elif facts.is_file():
            content = read_json(facts) | _killed(killed, time.monotonic() - start)
        else:
            raise RuntimeError(f"{out}: the process of its method was {killed} before it began; run it again")
        write_json(out, content)
    finally:
        if work is None:
            shutil.rmtree(place, ignore_errors=True)
    return dict(content)


def guarded_pretraining(out: Path, *given: Any, as_long_as: Path | None = None, **more: Any) -> str | None:
    """Train as `pretrain` does, in a process of its own; where the training itself fails, `out` says so.

    Parameters
    ----------
    out
        Folder that takes the network, or the reason why there is none, by which cells that need it fail as well.
    as_long_as
        Folder of the denoiser whose time it may take, in place of `seconds`.
    given, more
        As of `pretrain`, without `out`.

    Returns
    -------
    str or None
        The reason; None where it was trained.

    Raises
    ------
    UserError, KeyboardInterrupt, SystemExit
        As `pretrain`: the input is at fault, or somebody stopped it; `out` is then not there.
    """
    if (reason := failure_of(as_long_as)) is not None:
        mark_failed(out, reason)
        return reason
    (out / FAILED_FILE).unlink(missing_ok=True)
    start = time.monotonic()
    try:
        reason = in_child(partial(_pretrain, *given, out=out, as_long_as=as_long_as, **more))
    except TrainingError as error:
        reason = str(error)
    if reason is not None:
        from fewstain.diffusion.record import RECORD_FILE

        if not (out / RECORD_FILE).is_file():  # one was trained here before
            mark_failed(out, reason, time.monotonic() - start)
    return reason


def mark_failed(out: Path, reason: str, seconds: float = 0.0) -> None:
    """Write why there is no network in a folder."""
    write_json(out / FAILED_FILE, {"reason": reason, "seconds": round(seconds, 1)})


def failure_of(*folders: Path | None) -> str | None:
    """Tell why a pretraining failed, of the first of the folders that says so; None where all have a network."""
    for folder in folders:
        if folder is not None and (folder / FAILED_FILE).is_file():
            return f"{folder.name}, which it builds on, failed: {read_json(folder / FAILED_FILE)['reason']}"
    return None


def seconds_of(seconds: float | None, as_long_as: Path | None) -> float | None:
    """Return the time told, or the one that a denoiser took; None where its training failed."""
    if as_long_as is None or failure_of(as_long_as) is not None:
        return seconds
    from fewstain.baselines.pool_training import read_pretrained

    return read_pretrained(as_long_as).wall_seconds


def _run_cell(run: CellRun, place: Path) -> None:
    from fewstain.benchmark.cell import run_cell

    run_cell(run, place / RESULT_FILE, place)


def _killed(told: str, seconds: float) -> dict[str, Any]:
    return {
        "status": FAILED,
        "reason": told,
        "seconds": {"fit": round(seconds, 1)},
        "peak_memory_bytes": peak_memory_of_children(),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _pretrain(*given: Any, as_long_as: Path | None, seconds: float | None = None, **more: Any) -> None:
    """Pretrain; what is wrong with the training, and not with what the user gave, is a TrainingError."""
    from fewstain.benchmark.pretrain import pretrain

    try:
        pretrain(*given, seconds=seconds_of(seconds, as_long_as), **more)
    except (UserError, OSError):
        raise
    except Exception as error:
        traceback.print_exc()
        raise TrainingError(f"{type(error).__name__}: {error}".splitlines()[0][:300]) from error
