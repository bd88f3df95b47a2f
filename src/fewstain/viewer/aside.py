"""Slow work beside the window: in a thread of its own, while napari can be used."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any

from qtpy.QtCore import QObject, QTimer

_LOOK_MS = 100


class Aside(QTimer):
    """One piece of work at a time; what came of it is told in the window's thread.

    Parameters
    ----------
    parent
        With its end nobody is told any more.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self.setInterval(_LOOK_MS)
        self.timeout.connect(self._look)
        self._future: Future[Any] = Future()
        self._told: Callable[[Future[Any]], None] = lambda future: None

    def begin(self, work: Callable[[], Any], told: Callable[[Future[Any]], None]) -> None:
        """Do `work`; `told` gets its future when it is done, whose `result()` raises what `work` raised."""
        self._future, self._told = Future(), told
        Thread(target=_fill, args=(self._future, work), daemon=True).start()  # daemon: napari closes without waiting
        self.start()

    @property
    def busy(self) -> bool:
        """Whether work is under way, or done and not told yet."""
        return self.isActive()

    def _look(self) -> None:
        if self._future.done():
            self.stop()
            self._told(self._future)


def _fill(future: Future[Any], work: Callable[[], Any]) -> None:
    try:
        future.set_result(work())
    except BaseException as fault:
        future.set_exception(fault)
