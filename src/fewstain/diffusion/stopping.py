"""Ctrl-C and a scheduler's SIGTERM, held back until a step is done."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Self


class StopRequest:
    """Within the block, the first Ctrl-C or SIGTERM only sets `requested`; a second one stops at once.

    Leaving the block raises what the signal would have raised. Outside the main thread, where Python delivers no
    signals, it does nothing.
    """

    def __init__(self) -> None:
        self.requested: int | None = None
        self._before: dict[int, object] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._before[number] = signal.signal(number, self._take)
        return self

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.requested = number
        self._restore()

    def _restore(self) -> None:
        while self._before:
            number, handler = self._before.popitem()
            signal.signal(number, handler)  # type: ignore[arg-type]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()
        if error is None and self.requested is not None:
            if self.requested == signal.SIGINT:
                raise KeyboardInterrupt
            raise SystemExit(128 + self.requested)
