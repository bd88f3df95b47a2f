"""The widget "Label windows": walks through suggested windows, and keeps every stroke."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer

from fewstain.suggest import Suggestion
from fewstain.viewer.closing import Closing
from fewstain.viewer.corrections import next_label
from fewstain.viewer.drawn import look_over, mend
from fewstain.viewer.layers import window_layers
from fewstain.viewer.session import DRAFTS, Opened, Origin
from fewstain.viewer.stage import bind_keys, clear, faults_told, show, shown_folder
from fewstain.viewer.study import Given
from fewstain.viewer.window_list import UNSAVED, WindowList

if TYPE_CHECKING:
    import napari

AUTOSAVE_MS = 1000
"""How often strokes that are under way are kept; a finished stroke is kept at once."""
_TOLD = {
    Origin.DRAFT: "Your strokes of last time are back; they are not saved yet.",
    Origin.SAVED: "Saved before.",
    Origin.GUESS: "Pre-drawn by the model: mend it, then save.",
    Origin.EMPTY: "Nothing drawn yet.",
}


class LabelWidget(WindowList):
    """Choose windows, draw, save, go on.

    Parameters
    ----------
    viewer
        Where to draw.
    folder
        A dataset or results folder; that of the shown layers, if any, when None.
    data
        The dataset of a results folder, if not where dataset.json says.
    """

    def __init__(self, viewer: napari.Viewer, folder: Path | str | None = None, data: Path | None = None) -> None:
        super().__init__(viewer, Given(folder, data))
        self._opened: Opened | None = None
        self._kept: np.ndarray | None = None  # what the draft, or else the saved file, has
        self._doubted: np.ndarray | None = None  # what was saved in spite of doubts
        self.build(
            open_folder=self.open_folder,
            open_row=self.row_chosen,
            suggest=self.suggest,
            mend=self.mend,
            save=self.save,
            restart=self.restart,
        )
        self.refresh()
        viewer.layers.events.removing.connect(self._layer_going)
        self._timer = QTimer(self)
        self._timer.setInterval(AUTOSAVE_MS)
        self._timer.timeout.connect(self.keep)
        self._timer.start()
        self._release_keys: Callable[[], None] = lambda: None
        Closing(self, viewer, self.close_session)
        chosen = folder or shown_folder(viewer)
        if chosen:
            self.folder.set(chosen)

    # --- one window

    def open(self, index: int) -> None:
        """Show a window with what was drawn there, ready to be drawn in."""
        if self.session is None:
            return
        self.keep()
        with faults_told():
            window = self.session.windows[index]
            opened = self.session.open(window)
            made = window_layers(window, opened.labels, self.session.file(window))
            layer = show(self.viewer, made)[-1]
            # together, and only now: what is on the screen must never be saved under the name of another window
            self.index, self.layer, self._opened = index, layer, opened
            self._kept, self._doubted = opened.labels.copy(), None
            self._hand_over(window, layer)
            self.tell(_TOLD[opened.origin])
        self.refresh()

    def _hand_over(self, window: Suggestion, layer: Labels) -> None:
        """Make a window that is shown ready to be drawn in."""
        self._release_keys = bind_keys(self.viewer, {"S": self.save, "N": self.skip})
        layer.mode = "paint"
        layer.brush_size = max(3, window.size // 25)
        layer.selected_label = next_label(layer.data)
        layer.events.paint.connect(self._painted)
        self.viewer.layers.selection.active = layer
        self.viewer.fit_to_view(layers=[layer], margin=0.1)

    def _painted(self) -> None:
        QTimer.singleShot(0, self._after_stroke)  # napari tells of some strokes just before they are in the data

    def _after_stroke(self) -> None:
        if self.layer is not None and str(self.layer.mode) == "polygon":
            self.layer.selected_label = next_label(self.layer.data)  # one polygon, one object
        self.keep()

    def keep(self) -> None:
        """Write a draft, if something was drawn since the last one."""
        if self.layer is None or self.window_ is None or self.session is None or self._kept is None:
            return
        if not self.is_shown or np.array_equal(self.layer.data, self._kept):
            return
        with faults_told():
            self.session.keep_draft(self.window_, self.layer.data)
            self._kept = self.layer.data.copy()
            if not self.is_choosing:
                self.status.setText(UNSAVED if self.session.is_unsaved(self.window_) else _TOLD[Origin.SAVED])
            self.refresh()

    def _layer_going(self, event: Any) -> None:
        """Keep what was drawn before whoever it is takes the layer off the screen."""
        if self.viewer.layers[event.index] is self.layer:
            self.keep()

    def save(self) -> None:
        """Save the labels; where they look right, or were looked at again, go on to the next window.

        A window that another widget took off the screen is shown again instead: nothing is saved unseen.
        """
        if self.layer is None or self.window_ is None or self.session is None or self._opened is None:
            return
        if not self.is_shown:
            self.open(self.index)
            return
        with faults_told():
            labels = self.layer.data
            self.session.save(self.window_, labels)
            self._kept = labels.copy()
            findings = look_over(labels, self._opened.guess)
            if findings and not (self._doubted is not None and np.array_equal(self._doubted, labels)):
                self._doubted = labels.copy()
                self.refresh()
                self.tell("Saved. Look once more at what is below; S again goes on.")
                self.doubt([finding.message for finding in findings], any(each.mendable for each in findings))
                return
            self.skip()

    def mend(self) -> None:
        """Part pieces, remove specks, fill holes; one Ctrl+Z takes it back."""
        if self.layer is None or not self.is_shown:
            return
        mended = mend(self.layer.data)
        changed = np.nonzero(mended != self.layer.data)
        self.layer.data_setitem(changed, mended[changed].tolist())
        self.doubt([], False)
        self.keep()

    def skip(self) -> None:
        """Go to the next window that is not saved."""
        if self.session is None:
            return
        self.keep()
        following = self.session.next_open(self.index)
        if following is None:
            self.tell("All windows are labeled. Run the workflow, or suggest more.")
            self.refresh()
        elif following == self.index and self.is_shown:
            self.tell("This window alone is left, and not saved yet: S saves it.")
        else:
            self.open(following)

    def restart(self) -> None:
        """Go back to how this window was first offered, or to what was saved; one Ctrl+Z takes it back."""
        if self.session is None or self.window_ is None:
            return
        self.keep()
        with faults_told():
            moved = self.session.discard_draft(self.window_)
            if self.layer is None or not self.is_shown:
                self.open(self.index)
            else:
                self._opened = self.session.open(self.window_)
                labels = self._opened.labels
                changed = np.nonzero(labels != self.layer.data)
                self.layer.data_setitem(changed, labels[changed].tolist())
                self._kept, self._doubted = labels.copy(), None
                self.tell(_TOLD[self._opened.origin])
            if moved:
                self.tell(f"Started over. Ctrl+Z takes it back; what was drawn is in labels/{DRAFTS}/{moved.name} too.")
        self.refresh()

    def close_session(self) -> None:
        """Keep what was drawn, and take the layers away, unless they are another widget's."""
        self.keep()
        self._timer.stop()
        self._aside.stop()
        self._release_keys()
        if self.is_shown:
            clear(self.viewer)
        self.layer = None
