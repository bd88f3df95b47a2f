"""Cellpose trained from scratch on the labeled windows, in an environment of its own: Stringer et al., 2021."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fewstain.errors import UserError
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.storage import read_json, write_json

WORKER = Path(__file__).with_name("cellpose_worker.py")
LOG_FILE = "cellpose.log"
PATIENCE_S = 10  # for the process to end by itself


class Cellpose:
    """A process in Cellpose's environment that trains, and then finds the objects of images it is handed.

    Parameters
    ----------
    python
        Of an environment with Cellpose 3, see benchmarks/cellpose-environment.
    work
        Folder for the files that go to and fro; what is in it is removed.
    seconds, steps
        Budget of the training; steps are epochs.
    seed
        Of the weights it begins from, where these are random: Cellpose 3 seeds its augmentation by the epoch's number.
    weights
        File of pretrained weights to begin from; None for random ones.
    """

    def __init__(
        self,
        python: Path,
        work: Path,
        *,
        seconds: float | None = None,
        steps: int | None = None,
        seed: int = 0,
        weights: Path | None = None,
    ) -> None:
        if not python.exists():
            raise UserError(f"{python}: no such file; make the environment with benchmarks/cellpose-environment")
        self.python, self.work = python, work.resolve()
        self.settings: dict[str, Any] = {"steps": steps} if steps is not None else {"seconds": seconds}
        self.settings |= {"seed": seed, "weights": None if weights is None else str(weights.resolve())}
        self.facts: dict[str, Any] = {}
        self._process: subprocess.Popen[str] | None = None
        self._busy = False
        self._number = 0

    def fit(self, windows: Sequence[LabeledWindow]) -> Self:
        """Train on windows, without their surroundings: Cellpose takes every pixel for labeled.

        `facts` then tells epochs, parameters, and the diameter by which images are scaled.

        Raises
        ------
        UserError
            Cellpose fails; with the last line it said.
        """
        shutil.rmtree(self.work, ignore_errors=True)
        for number, window in enumerate(windows):
            rows, columns = window.inside
            _save(self.work / "train" / f"{number:05d}.image.npy", _positive(window.image.numpy()[:, rows, columns]))
            _save(self.work / "train" / f"{number:05d}.labels.npy", window.labels)
        write_json(self.work / "settings.json", self.settings)
        # Python looks beside a file for what it imports: not here, where other files have the names of packages
        worker = shutil.copy(WORKER, self.work)
        # nothing of our environment may be seen in the other
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        with (self.work / LOG_FILE).open("w", encoding="utf-8") as log:
            self._process = subprocess.Popen(
                [str(self.python), worker, str(self.work)],
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        try:
            self._wait("trained")
        except BaseException:  # also when time is up, or somebody stops it: it would train on to its end
            self.close()
            raise
        self.facts = read_json(self.work / "done.json")
        return self

    def find(self, image: NDArray[np.float32]) -> NDArray[np.int32]:
        """Find the objects of an image (C, H, W) in [-1, 1]: (H, W) labels."""
        if self._process is None or self._process.stdin is None:
            raise ValueError("fit first")
        name = f"{self._number:05d}"
        self._number += 1
        _save(self.work / "test" / f"{name}.image.npy", _positive(image))
        self._process.stdin.write(f"{name}\n")
        self._process.stdin.flush()
        self._wait("found")
        found: NDArray[np.int32] = np.load(self.work / "found" / f"{name}.npy", allow_pickle=False)
        return found

    def close(self) -> None:
        """End the process: it ends when nobody has a word for it, and is killed where it is at work."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None and self._busy:
            process.kill()
        try:
            process.communicate(timeout=PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()

    def _wait(self, word: str) -> None:
        """Read what it says until it says a word; other libraries of its print too."""
        process = self._process
        if process is None or process.stdout is None:
            raise ValueError("fit first")
        self._busy = True
        for line in process.stdout:
            if line.strip() == word:
                self._busy = False
                return
        process.wait()
        lines = (self.work / LOG_FILE).read_text(encoding="utf-8", errors="replace").strip().splitlines()
        told = lines[-1] if lines else "it said nothing"
        raise UserError(f"cellpose: ended with {process.returncode}: {told}; run `{self.python} -m cellpose --version`")


def _positive(image: NDArray[np.float32]) -> NDArray[np.float32]:
    """(C, H, W) in [-1, 1] -> (H, W, C) in [0, 1], as Cellpose normalises."""
    return np.ascontiguousarray(np.moveaxis((image + 1) / 2, 0, -1), np.float32)


def _save(path: Path, array: NDArray[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array, allow_pickle=False)
