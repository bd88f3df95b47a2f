"""How far a long computation has come: one bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, ParamSpec, Self, TextIO, TypeVar

import psutil
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

if TYPE_CHECKING:  # it takes seconds, and who only counts files needs none of it
    import torch

P = ParamSpec("P")
R = TypeVar("R")

LINE_SECONDS = 30.0
BAR_SECONDS = 0.5


def peak_memory_bytes(device: torch.device | None = None) -> int:
    """Peak memory of this process: of the GPU if `device` is one, else resident."""
    if device is not None and device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    if sys.platform == "win32":
        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak) if sys.platform == "darwin" else int(peak) * 1024  # bytes there, kibibytes elsewhere


def device_name(device: torch.device) -> str:
    """Name of the GPU if `device` is one, else its kind, "cpu" or the like."""
    if device.type != "cuda":
        return device.type
    import torch

    return str(torch.cuda.get_device_name(device))


class StepProgress:
    """Progress of a loop of steps, on standard error.

    Parameters
    ----------
    title
        What is being done.
    total, done
        Steps of the whole work, and those done before.
    images_per_step
        For the rate; 0 where steps are no images, and no rate is shown.
    device
        Whose peak memory to show.
    """

    def __init__(
        self,
        title: str,
        total: int,
        *,
        done: int = 0,
        images_per_step: float = 1,
        device: torch.device | None = None,
        stream: TextIO | None = None,
    ) -> None:
        self._title, self._total, self._first = title, total, done
        self._images, self._device = images_per_step, device
        self._console = Console(file=stream if stream is not None else sys.stderr)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[facts]}"),
            console=self._console,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task(title, total=total, completed=done, facts="")
        self._every = BAR_SECONDS if self._console.is_terminal else LINE_SECONDS
        self._start = self._told = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def due(self, done: int) -> bool:
        """Whether it is time to `show`; also at the very end. Asking costs nothing, the loss on a GPU does."""
        return done >= self._total or time.monotonic() - self._told >= self._every

    def show(self, done: int, **facts: float) -> None:
        """Show that `done` steps are done, with named numbers such as the loss."""
        self._told = time.monotonic()
        elapsed = self._told - self._start
        numbers = [f"{name} {value:.4f}" for name, value in facts.items()]
        memory = peak_memory_bytes(self._device) / 2**30
        per_second = (done - self._first) * self._images / max(elapsed, 1e-9)
        rate = [f"{per_second:.1f} images/s"] if self._images else []
        text = ", ".join([*numbers, *rate, f"peak {memory:.2f} GiB"])
        self._bar.update(self._task, completed=done, facts=text)
        if not self._console.is_terminal:
            left = timedelta(seconds=round((self._total - done) * elapsed / max(done - self._first, 1)))
            self._console.print(f"{self._title}: {done}/{self._total}, {text}, {left} left", soft_wrap=True)


def counted(call: Callable[P, R], progress: StepProgress) -> Callable[P, R]:
    """Make every call of a function a step of a progress already open."""
    done = 0

    def counting(*args: P.args, **kwargs: P.kwargs) -> R:
        nonlocal done
        result = call(*args, **kwargs)
        done += 1
        if progress.due(done):
            progress.show(done)
        return result

    return counting
