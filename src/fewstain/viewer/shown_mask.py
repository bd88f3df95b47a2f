"""A mask in the viewer: corrected in single steps, with word of all that changes in it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence

import numpy as np
from napari.layers import Labels
from numpy.typing import NDArray
from qtpy.QtCore import QTimer

from fewstain.viewer import corrections


class ShownMask:
    """A labels layer whose objects are corrected; Ctrl+Z takes each correction back.

    Parameters
    ----------
    layer
        The mask.
    changed
        Called after a change with the labels that it touched, or with None when it can have touched any.
    undone
        Called after a change was taken back, or done again.
    """

    def __init__(
        self, layer: Labels, changed: Callable[[Sequence[int] | None], None], undone: Callable[[], None]
    ) -> None:
        self.layer = layer
        self._changed = changed
        self._undone = undone

    def watch(self) -> None:
        """Tell of what the user draws, takes back and does again, too."""
        self.layer.mode = "pan_zoom"
        self.layer.events.paint.connect(self._painted)
        self.layer.bind_key("Control-Z", self._undo, overwrite=True)
        self.layer.bind_key("Control-Shift-Z", self._redo, overwrite=True)

    def reject(self, labels: Sequence[int]) -> None:
        """Remove objects."""
        with contextlib.suppress(KeyError):  # rejected before
            box = corrections.box_around(self.layer.data, labels)
            crop = self.layer.data[box]
            self._put(box, np.where(np.isin(crop, labels), 0, crop))

    def split(self, label: int, following: int) -> None:
        """Cut an object in two where it is narrowest; see `corrections.split` for `following` and what is raised."""
        box = corrections.box_of(self.layer.data, label)
        self._put(box, corrections.split(self.layer.data[box], label, following=following))

    def join(self, labels: Sequence[int]) -> None:
        """Make one object of several; see `corrections.merge` for what is raised."""
        box = corrections.box_around(self.layer.data, labels)
        self._put(box, corrections.merge(self.layer.data[box], labels))

    def redraw(self, label: int) -> None:
        """Take an object away and hand over the brush."""
        self.reject([label])
        self.draw(label)

    def draw(self, label: int) -> None:
        """Hand over the brush for an object."""
        self.layer.selected_label = label
        self.layer.mode = "paint"

    def put_brush_away(self) -> None:
        """Let the next click choose, not paint."""
        self.layer.mode = "pan_zoom"

    def _put(self, box: tuple[slice, slice], labels: NDArray[np.integer]) -> None:
        """Change a box of the mask in one step."""
        before = self.layer.data[box]
        rows, columns = np.nonzero(labels != before)
        if not len(rows):
            return
        touched = np.unique(np.concatenate([before[rows, columns], labels[rows, columns]]))
        where = (rows + box[0].start, columns + box[1].start)
        with self.layer.events.paint.blocker(self._painted):  # which would look at the whole mask
            self.layer.data_setitem(where, labels[rows, columns].tolist())
        self._changed([int(label) for label in touched if label])

    def _painted(self) -> None:
        QTimer.singleShot(
            0, lambda: self._changed(None)
        )  # napari tells of some strokes just before they are in the data

    def _undo(self, layer: Labels) -> None:
        layer.undo()
        self._undone()

    def _redo(self, layer: Labels) -> None:
        layer.redo()
        self._undone()
