"""Telling a widget that it is closed: napari takes it off the screen without a word."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from qtpy.QtCore import QEvent, QObject
from qtpy.QtWidgets import QApplication, QWidget

if TYPE_CHECKING:
    import napari


class Closing(QObject):
    """Calls a function once: when napari's window or a widget's dock is closed, or the program ends.

    A docked widget gets no close event: the dock's × takes its parent away, and the window's × hides the window.

    Parameters
    ----------
    widget
        The widget, before or after it was docked; it may be a window of its own, too.
    viewer
        Whose window it is docked in.
    close
        Called while the widget, and the viewer's layers, are still there.
    """

    def __init__(self, widget: QWidget, viewer: napari.Viewer, close: Callable[[], None]) -> None:
        super().__init__(widget)
        self._close: Callable[[], None] | None = close
        self._asked = False
        widget.installEventFilter(self)
        viewer.window._qt_window.installEventFilter(self)
        QApplication.instance().aboutToQuit.connect(self.now)

    def now(self) -> None:
        """Call the function, unless it was called before."""
        close, self._close = self._close, None
        if close is not None:
            QApplication.instance().aboutToQuit.disconnect(self.now)  # which would keep the widget, and napari's window
            close()

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Wait for the end of the widget or of the window; no event is held back."""
        kind = event.type()
        if watched is self.parent():
            orphaned = kind == QEvent.Type.ParentChange and watched.parent() is None
            if orphaned or kind == QEvent.Type.Close:
                self.now()
        elif kind == QEvent.Type.Close:
            self._asked = True  # napari may ask back, and stay
        elif kind == QEvent.Type.DeferredDelete or (kind == QEvent.Type.Hide and self._asked):
            self.now()
        return False
