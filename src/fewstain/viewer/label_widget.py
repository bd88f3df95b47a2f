"""The widget "Label windows": walks through suggested windows, and keeps every stroke."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer

from fewstain.suggest import Suggestion
from fewstain.viewer.corrections import next_label
from fewstain.viewer.drawn import look_over, mend
from fewstain.viewer.label_form import LabelForm
from fewstain.viewer.layers import window_layers
from fewstain.viewer.session import Opened, Origin, Session, resume, start
from fewstain.viewer.stage import bind_keys, clear, faults_told, show, shown_folder
from fewstain.viewer.study import Given

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


class LabelWidget(LabelForm):
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
        super().__init__()
        self.viewer = viewer
        self._given = Given(folder, data)
        self.session: Session | None = None
        self.index = -1
        self.layer: Labels | None = None
        self._opened: Opened | None = None
        self._kept: np.ndarray | None = None  # what the draft, or else the saved file, has
        self._doubted: np.ndarray | None = None  # what was saved in spite of doubts
        self.build(
            open_folder=self.open_folder,
            open_row=self._row_chosen,
            suggest=self.suggest,
            mend=self.mend,
            save=self.save,
            restart=self.restart,
        )
        self._refresh()
        self._timer = QTimer(self)
        self._timer.setInterval(AUTOSAVE_MS)
        self._timer.timeout.connect(self.keep)
        self._timer.start()
        chosen = folder or shown_folder(viewer)
        if chosen:
            self.folder.set(chosen)

    # --- the session

    def open_folder(self, folder: Path) -> None:
        """Take up the dataset's session where it was left, if there is one."""
        self.keep()
        with faults_told():
            study = self._given.locate(folder)
            self._take(resume(study) or Session(study, ()))

    def suggest(self) -> None:
        """Choose windows; those saved or begun stay."""
        if self.session is None:
            return
        self.keep()
        with faults_told():
            self._take(start(self.session.study, self.count.value(), self.side.value()))

    def _take(self, session: Session) -> None:
        self.session, self.index = session, -1
        self.list.blockSignals(True)
        self.list.clear()
        self.list.addItems([window.name for window in session.windows])
        self.list.blockSignals(False)
        following = session.next_open()
        if session.windows:
            self.open(0 if following is None else following)
        self._refresh()

    @property
    def window_(self) -> Suggestion | None:
        """The window that is open."""
        return self.session.windows[self.index] if self.session and self.index >= 0 else None

    # --- one window

    def open(self, index: int) -> None:
        """Show a window with what was drawn there, ready to be drawn in."""
        if self.session is None:
            return
        self.keep()
        with faults_told():
            window = self.session.windows[index]
            self._opened = self.session.open(window)
            self.index, self._doubted = index, None
            self._show(window, self._opened)
            self._kept = self._opened.labels.copy()
            self.tell(_TOLD[self._opened.origin])
        self._refresh()

    def _show(self, window: Suggestion, opened: Opened) -> None:
        made = window_layers(window, opened.labels, self.session.file(window) if self.session else None)
        self.layer = None
        self.layer = show(self.viewer, made)[-1]
        bind_keys(self.viewer, {"S": self.save, "N": self.skip})
        self.layer.mode = "paint"
        self.layer.brush_size = max(3, window.size // 25)
        self.layer.selected_label = next_label(opened.labels)
        self.layer.events.paint.connect(self._painted)
        self.viewer.layers.selection.active = self.layer
        self.viewer.fit_to_view(layers=[self.layer], margin=0.1)

    def _painted(self) -> None:
        QTimer.singleShot(0, self._after_stroke)  # napari tells of some strokes just before they are in the data

    def _after_stroke(self) -> None:
        if self.layer is not None and str(self.layer.mode) == "polygon":
            self.layer.selected_label = next_label(self.layer.data)  # one polygon, one object
        self.keep()

    @property
    def is_shown(self) -> bool:
        """Whether the open window is on the screen, not what another widget put in its place."""
        return self.layer is not None and self.layer in self.viewer.layers

    def keep(self) -> None:
        """Write a draft, if something was drawn since the last one."""
        if self.layer is None or self.window_ is None or self.session is None or self._kept is None:
            return
        if not self.is_shown or np.array_equal(self.layer.data, self._kept):
            return
        with faults_told():
            self.session.keep_draft(self.window_, self.layer.data)
            self._kept = self.layer.data.copy()

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
                self._refresh()
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

    def skip(self) -> None:
        """Go to the next window that is not saved."""
        if self.session is None:
            return
        self.keep()
        following = self.session.next_open(self.index)
        if following is None:
            self.tell("All windows are labeled. Run the workflow, or suggest more.")
            self._refresh()
        else:
            self.open(following)

    def restart(self) -> None:
        """Forget the draft of this window."""
        if self.session is None or self.window_ is None:
            return
        self.session.discard_draft(self.window_)
        self._kept = None
        self.open(self.index)

    def _row_chosen(self, row: int) -> None:
        if row >= 0 and row != self.index:
            self.open(row)

    def _refresh(self) -> None:
        self.show_session(self.session, self.index, drawing=self.layer is not None)

    def closeEvent(self, event: Any) -> None:
        """Keep what was drawn."""
        self.close_session()
        super().closeEvent(event)

    def close_session(self) -> None:
        """Keep what was drawn, and take the layers away."""
        self.keep()
        self._timer.stop()
        self.layer = None
        clear(self.viewer)
