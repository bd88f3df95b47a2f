"""Running Snakemake for one dataset from within the viewer: the command, its progress, and stopping it safely."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import fewstain
from fewstain.errors import UserError
from fewstain.pixels.corrected import MEASUREMENTS
from fewstain.pixels.decisions import CORRECTED
from fewstain.viewer.study import Study, project_of

REPORT = "report.html"
"""The report of one dataset, in its results folder."""
TAIL = 200
"""Lines of output that are kept to be looked at."""
PATIENCE_S = 60
"""Seconds that a stopped run has to keep its training state before it is asked more firmly."""
_STEPS = re.compile(r"^(\d+) of (\d+) steps \((\d+)%\) done")
_TOTAL = re.compile(r"^total\s+(\d+)$")  # the end of what Snakemake prints of its jobs before the first one
_RULE = re.compile(r"^(?:local)?(?:rule|checkpoint) (\w+):")
_BAR = re.compile(r"^([\w ]+): (\d+)/(\d+)")


@dataclass(frozen=True)
class Progress:
    """How far a run is: finished steps of all, the step under way, and how far that one is (0-1), where it tells."""

    done: int = 0
    steps: int = 0
    rule: str = ""
    share: float | None = None

    def after(self, line: str) -> Progress:
        """Read one line of Snakemake's output."""
        if match := _STEPS.match(line):
            return Progress(int(match[1]), int(match[2]), self.rule)
        if not self.steps and (match := _TOTAL.match(line)):
            return Progress(0, int(match[1]), self.rule)
        if match := _RULE.match(line):
            return Progress(self.done, self.steps, match[1])
        if match := _BAR.match(line):
            total = int(match[3])
            return Progress(self.done, self.steps, self.rule, int(match[2]) / total if total else None)
        return self


def command(study: Study, cores: int | None = None) -> tuple[list[str], Path]:
    """Put the command line together that makes everything of one dataset, with a report of its own.

    results/report.html, which tells of all datasets and of more than is made here, is left as it is.

    Returns
    -------
    arguments, folder to run them in

    Raises
    ------
    UserError
        The dataset is in no config.yaml, or the workflow is not to be found.
    """
    project, config = project_of(study)
    results = f"{config.results}/{study.name}"
    parts = ["report/training", "report/run-times.html"]
    if any(study.labels_of(name) for name in study.images):
        parts += ["measurements.csv", "scores.json", "report/tables"]
        parts += [MEASUREMENTS] if _needs_corrections(project / results) else []
    arguments = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile(project))]
    arguments += ["--cores", "all" if cores is None else str(cores), "--nocolor"]
    arguments += ["--report-after-run", "--report", f"{results}/{REPORT}"]
    return [*arguments, *(f"{results}/{part}" for part in parts)], project


def _needs_corrections(results: Path) -> bool:
    """Whether there are corrected masks, or tables of some that were forgotten since."""
    return any((results / CORRECTED).glob("*.tif")) or (results / MEASUREMENTS).exists()


def snakefile(project: Path) -> Path:
    """Find the workflow: the project's own, else that beside the installed package.

    Raises
    ------
    UserError
        Neither is there.
    """
    for folder in (project, Path(fewstain.__file__).parents[2]):
        if (folder / "Snakefile").is_file():
            return folder / "Snakefile"
    raise UserError(f"{project}: no Snakefile; copy Snakefile, workflow/ and profiles/ of fewstain there")


@dataclass
class Run:
    """Snakemake as a subprocess; `lines` and `progress` follow its output.

    Attributes
    ----------
    lines : deque of str
        The last `TAIL` lines of its output.
    progress : Progress
        How far it is.
    """

    arguments: Sequence[str]
    folder: Path
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))
    progress: Progress = field(default_factory=Progress)
    stopped: bool = False
    _process: subprocess.Popen[str] | None = None
    _reader: threading.Thread | None = None

    def start(self) -> None:
        """Start it, in a process group of its own, so that stopping reaches all its jobs."""
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        self._process = subprocess.Popen(
            list(self.arguments),
            cwd=self.folder,
            env=os.environ | {"PATH": path, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=os.name == "posix",
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        output = self._process.stdout if self._process else None
        for line in output or ():
            text = line.rstrip()
            self.lines.append(text)
            self.progress = self.progress.after(text)

    @property
    def code(self) -> int | None:
        """Exit status; None while it runs and while output is still to be read."""
        if self._process is None or self._process.poll() is None:
            return None
        if self._reader is not None:
            self._reader.join(1)
        return self._process.returncode

    def stop(self, patience_s: float = PATIENCE_S) -> None:
        """Stop it as Ctrl-C would, at once returning: a training keeps its state, and the same run goes on from there.

        What has not ended after `patience_s` seconds is terminated, and after as long again killed; files are written
        aside and renamed, so that none is left half written even then.
        """
        if self.code is None and not self.stopped:
            self.stopped = True
            threading.Thread(target=self._end, args=(patience_s,)).start()  # no daemon: outlives napari's window

    def _end(self, patience_s: float) -> None:
        gentle = signal.SIGINT if os.name == "posix" else signal.CTRL_BREAK_EVENT  # type: ignore[attr-defined]
        for number in (gentle, signal.SIGTERM, getattr(signal, "SIGKILL", signal.SIGTERM)):
            self._signal(number)
            deadline = time.monotonic() + patience_s
            while self.code is None and time.monotonic() < deadline:
                time.sleep(0.1)
            if self.code is not None:
                return

    def _signal(self, number: int) -> None:
        if self._process is None:
            return
        try:
            if os.name == "posix":
                os.killpg(self._process.pid, number)
            else:
                self._process.send_signal(number)
        except ProcessLookupError:
            pass
