"""One cell: a method on one trial, scored on the test images; a small JSON whatever happens."""

from __future__ import annotations

import shutil
import signal
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import Any

import fewstain
from fewstain.baselines.pool_training import read_pretrained
from fewstain.benchmark.cell_run import CellRun
from fewstain.benchmark.guarded import FACTS_FILE, failure_of, seconds_of
from fewstain.benchmark.identity import backbone
from fewstain.benchmark.interface import Fitted, Trial
from fewstain.benchmark.machine import machine_facts, peak_memory_bytes
from fewstain.benchmark.methods import fit
from fewstain.benchmark.trial import build_dataset, fingerprint, refuse_tests_in_pool
from fewstain.benchmark_settings import CUT, DONE, FAILED
from fewstain.dataset import Dataset, open_dataset
from fewstain.diffusion.progress import StepProgress
from fewstain.evaluate.folders import evaluate_folders
from fewstain.images.read import read_image, stem
from fewstain.images.write import write_labels
from fewstain.storage import write_json


def run_cell(run: CellRun, out: Path, work: Path | None = None) -> dict[str, Any]:
    """Run a cell and write its JSON.

    A fault of the method's, and running out of time or memory, is written down as well; so a table never lacks a row
    because it would look bad. To run such a cell again, delete its file. What kills the process leaves none: see
    `fewstain.benchmark.guarded`, for which the working folder tells what is known before the method begins.

    Parameters
    ----------
    run
        What to run.
    out
        The JSON file.
    work
        Takes the trial's dataset and the masks, and is kept; by default a temporary folder.

    Raises
    ------
    UserError
        The stain is not as it must be; nothing is written then.
    """
    place = Path(tempfile.mkdtemp(prefix="fewstain-")) if work is None else work
    run = replace(run, seconds=seconds_of(run.seconds, run.as_long_as))
    try:
        place.mkdir(parents=True, exist_ok=True)
        refuse_tests_in_pool(run.source)
        dataset = open_dataset(build_dataset(run.source, place / "dataset", run.n, run.seed))
        facts = _facts(run, dataset)
        write_json(place / FACTS_FILE, facts)
        result = facts | _outcome(run, dataset, place)
        result["peak_memory_bytes"] = peak_memory_bytes()
        result["finished"] = datetime.now(UTC).isoformat(timespec="seconds")
        write_json(out, result)
    finally:
        if work is None:
            shutil.rmtree(place, ignore_errors=True)
    return result


def _facts(run: CellRun, dataset: Dataset) -> dict[str, Any]:
    """Tell what is known before anything was computed."""
    return {
        "method": run.method.value,
        "stain": run.stain,
        "n": run.n,
        "n_labels": len(dataset.windows),
        "seed": run.seed,
        **machine_facts(),
        "version": fewstain.__version__,
        "preset": run.preset.value,
        "budget": {"kind": run.budget, "seconds": run.seconds, "steps": run.steps},
        "data": fingerprint(run.source),
        "channels": None if run.channels is None else list(run.channels),
        "backbone": backbone(run.method, run.options or {}),
    }


def _outcome(run: CellRun, dataset: Dataset, work: Path) -> dict[str, Any]:
    """Status, and scores or the reason why there are none."""
    if (told := failure_of(run.pretrained, run.as_long_as)) is not None:
        return {"status": FAILED, "reason": told, "seconds": {"fit": 0.0}}
    start = time.monotonic()
    try:
        with time_limit(run.limit_seconds):
            return {"status": DONE, **_scored(run, dataset, work)}
    except TimeoutError as error:
        return {"status": CUT, "reason": str(error), "seconds": {"fit": round(time.monotonic() - start, 1)}}
    except Exception as error:
        traceback.print_exc()
        reason = f"{type(error).__name__}: {error}".splitlines()[0][:300]
        return {"status": FAILED, "reason": reason, "seconds": {"fit": round(time.monotonic() - start, 1)}}


def _scored(run: CellRun, dataset: Dataset, work: Path) -> dict[str, Any]:
    """Fit, then segment and score the test images; they are not read before."""
    trial = Trial(
        dataset,
        work,
        run.source,
        run.settings,
        run.seed,
        run.channels,
        run.pretrained,
        run.seconds,
        run.steps,
        run.options or {},
        run.preset,
    )
    start = time.monotonic()
    fitted = fit(run.method, trial)
    fit_s = time.monotonic() - start
    start = time.monotonic()
    try:
        masks = _segment_test(fitted, dataset, work / "masks")
        predict_s = time.monotonic() - start
    finally:
        fitted.close()
    scores = evaluate_folders(dataset.root / "test" / "labels", masks)
    rows = scores.pop("images")
    images = [{name: row[name] for name in ("image", "TP", "FP", "FN", "PQ")} for row in rows]
    seconds = {"pretraining": _pretraining_seconds(run.pretrained), "fit": fit_s, "predict": predict_s}
    return {
        "scores": scores,
        "images": images,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "parameters": fitted.parameters,
        "notes": fitted.notes,
    }


def _segment_test(fitted: Fitted, dataset: Dataset, out: Path) -> Path:
    shutil.rmtree(out, ignore_errors=True)
    labeled = [test for test in dataset.test if test.labels is not None]
    with StepProgress("test images", len(labeled)) as progress:
        for number, test in enumerate(labeled, start=1):
            write_labels(out / f"{stem(test.image)}.tif", fitted.find(read_image(test.image).pixels))
            if progress.due(number):
                progress.show(number)
    return out


def _pretraining_seconds(folder: Path | None) -> float:
    return 0.0 if folder is None else read_pretrained(folder).wall_seconds


@contextmanager
def time_limit(seconds: float | None) -> Iterator[None]:
    """Raise TimeoutError in the block after so many seconds; only in the main thread, and not on Windows."""
    if seconds is None or not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError(f"stopped after {seconds:g} seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
