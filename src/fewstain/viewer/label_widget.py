"""The widget "Label windows": walks through suggested windows, and keeps every stroke."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from napari.layers import Labels
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QProgressBar,
    QPushButton,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from fewstain.images.read import stem
from fewstain.suggest import Suggestion
from fewstain.viewer.corrections import next_label
from fewstain.viewer.drawn import look_over, mend
from fewstain.viewer.folder_field import FolderField
from fewstain.viewer.layers import KEY, image_layers
from fewstain.viewer.session import Opened, Origin, Session, resume, start
from fewstain.viewer.stage import clear, faults_told, show, shown_folder
from fewstain.viewer.study import locate

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
_HINT = (
    "Brush 2 · polygon 3 · erase 1 · fill 4 · pick 5 · new object M · undo Ctrl+Z<br>"
    "<b>S</b> save and go on · <b>N</b> next without saving"
)


class LabelWidget(QWidget):
    """Choose windows, draw, save, go on.

    Parameters
    ----------
    viewer
        Where to draw.
    folder
        A dataset or results folder; that of the shown layers, if any, when None.
    """

    def __init__(self, viewer: napari.Viewer, folder: Path | str | None = None) -> None:
        super().__init__()
        self.viewer = viewer
        self.session: Session | None = None
        self.index = -1
        self.layer: Labels | None = None
        self._opened: Opened | None = None
        self._kept: np.ndarray | None = None  # what the draft, or else the saved file, has
        self._doubted: np.ndarray | None = None  # what was saved in spite of doubts
        self._build()
        self._timer = QTimer(self)
        self._timer.setInterval(AUTOSAVE_MS)
        self._timer.timeout.connect(self.keep)
        self._timer.start()
        for key, action in (("S", self.save), ("N", self.skip)):
            viewer.bind_key(key, lambda _, action=action: action(), overwrite=True)
        chosen = folder or shown_folder(viewer)
        if chosen:
            self.folder.set(chosen)

    def _build(self) -> None:
        self.folder = FolderField("Dataset or results folder", self.open_folder)
        self.count = QSpinBox(minimum=1, maximum=1000, value=24)
        self.side = QSpinBox(minimum=32, maximum=1024, singleStep=32, value=128)
        self.side.setSuffix(" px")
        self.suggest_button = _button("Suggest windows", self.suggest)
        self.progress = QProgressBar()
        self.list = QListWidget()
        self.list.currentRowChanged.connect(self._row_chosen)
        self.status, self.doubts = QLabel(), QLabel()
        for label in (self.status, self.doubts):
            label.setWordWrap(True)
        self.mend_button = _button("Mend", self.mend)
        self.save_button = _button("Save and go on", self.save)
        self.restart_button = _button("Start this window over", self.restart)
        hint = QLabel(_HINT)
        hint.setWordWrap(True)
        form = QFormLayout()
        form.addRow("Windows", self.count)
        form.addRow("Side", self.side)
        buttons = QHBoxLayout()
        buttons.addWidget(self.restart_button)
        buttons.addWidget(self.save_button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.folder)
        layout.addLayout(form)
        for widget in (self.suggest_button, self.progress, self.list, self.status, self.doubts, self.mend_button):
            layout.addWidget(widget)
        layout.addLayout(buttons)
        layout.addWidget(hint)
        self._refresh()

    # --- the session

    def open_folder(self, folder: Path) -> None:
        """Take up the dataset's session where it was left, if there is one."""
        self.keep()
        with faults_told():
            study = locate(folder)
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
            self._tell(_TOLD[self._opened.origin])
        self._refresh()

    def _show(self, window: Suggestion, opened: Opened) -> None:
        file = str(self.session.file(window)) if self.session else ""
        properties: dict[str, Any] = {
            "name": window.name,
            "translate": (window.y, window.x),
            "opacity": 0.5,
            "metadata": {KEY: {"kind": "window", "image": stem(window.image), "file": file}},
        }
        height, width = opened.labels.shape
        corners = np.array([[0, 0], [0, width], [height, width], [height, 0]]) - 0.5 + (window.y, window.x)
        frame: dict[str, Any] = {
            "name": "window",
            "shape_type": "polygon",
            "face_color": "transparent",
            "edge_color": "yellow",
            "edge_width": 1,
            "metadata": properties["metadata"] | {KEY: properties["metadata"][KEY] | {"kind": "frame"}},
        }
        images = image_layers(window.image, stem(window.image))
        self.layer = None
        layers = show(self.viewer, [*images, ([corners], frame, "shapes"), (opened.labels, properties, "labels")])
        self.layer = layers[-1]
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

    def keep(self) -> None:
        """Write a draft, if something was drawn since the last one."""
        if self.layer is None or self.window_ is None or self.session is None or self._kept is None:
            return
        if self.layer not in self.viewer.layers or np.array_equal(self.layer.data, self._kept):
            return
        with faults_told():
            self.session.keep_draft(self.window_, self.layer.data)
            self._kept = self.layer.data.copy()

    def save(self) -> None:
        """Save the labels; where they look right, or were looked at again, go on to the next window."""
        if self.layer is None or self.window_ is None or self.session is None or self._opened is None:
            return
        with faults_told():
            labels = self.layer.data
            self.session.save(self.window_, labels)
            self._kept = labels.copy()
            findings = look_over(labels, self._opened.guess)
            if findings and not (self._doubted is not None and np.array_equal(self._doubted, labels)):
                self._doubted = labels.copy()
                self._refresh()
                self._tell("Saved. Look once more at what is below; S again goes on.")
                self._doubt([finding.message for finding in findings], any(each.mendable for each in findings))
                return
            self.skip()

    def mend(self) -> None:
        """Part pieces, remove specks, fill holes; one Ctrl+Z takes it back."""
        if self.layer is None:
            return
        mended = mend(self.layer.data)
        changed = np.nonzero(mended != self.layer.data)
        self.layer.data_setitem(changed, mended[changed].tolist())
        self._doubt([], False)

    def skip(self) -> None:
        """Go to the next window that is not saved."""
        if self.session is None:
            return
        self.keep()
        following = self.session.next_open(self.index)
        if following is None:
            self._tell("All windows are labeled. Run the workflow, or suggest more.")
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

    # --- what is told

    def _row_chosen(self, row: int) -> None:
        if row >= 0 and row != self.index:
            self.open(row)

    def _tell(self, text: str) -> None:
        self.status.setText(text)
        self._doubt([], False)

    def _doubt(self, messages: list[str], mendable: bool) -> None:
        self.doubts.setText("<br>".join(f"• {message}" for message in messages))
        self.doubts.setVisible(bool(messages))
        self.mend_button.setVisible(mendable)

    def _refresh(self) -> None:
        windows = self.session.windows if self.session else ()
        done = self.session.done if self.session else 0
        self.progress.setRange(0, max(1, len(windows)))
        self.progress.setValue(done)
        self.progress.setFormat(f"{done} of {len(windows)} labeled")
        for row, window in enumerate(windows):
            mark = "✓" if self.session and self.session.is_done(window) else " "
            self.list.item(row).setText(f"{mark} {window.name}")
        self.list.blockSignals(True)
        self.list.setCurrentRow(self.index)
        self.list.blockSignals(False)
        self.suggest_button.setEnabled(self.session is not None)
        for button in (self.save_button, self.restart_button):
            button.setEnabled(self.layer is not None)
        if not windows:
            self._tell("Suggest windows to begin." if self.session else "Choose a folder, or drop one on the window.")

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


def _button(text: str, action: Any) -> QPushButton:
    button = QPushButton(text)
    button.clicked.connect(lambda: action())
    return button
