"""The controls of "Label windows": where they lie, and what they show."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import (
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QListWidget,
    QProgressBar,
    QSpinBox,
    QVBoxLayout,
    QWidget,
)

from fewstain.suggest import Suggestion
from fewstain.viewer.button import button
from fewstain.viewer.folder_field import FolderField
from fewstain.viewer.session import Session

_HINT = (
    "Brush 2 · polygon 3 · erase 1 · fill 4 · pick 5 · new object M · undo Ctrl+Z<br>"
    "<b>S</b> save and go on · <b>N</b> next without saving"
)


class LabelForm(QWidget):
    """What `LabelWidget` looks like; it says what its controls do."""

    def build(
        self,
        *,
        open_folder: Callable[[Path], None],
        open_row: Callable[[int], None],
        suggest: Callable[[], None],
        mend: Callable[[], None],
        save: Callable[[], None],
        restart: Callable[[], None],
    ) -> None:
        """Make the controls.

        Parameters
        ----------
        open_folder, open_row
            What is done with a folder, and with a row of the list, that was chosen; -1 is none.
        suggest, mend, save, restart
            What the buttons do.
        """
        self.folder = FolderField("Dataset or results folder", open_folder)
        self.count = QSpinBox(minimum=1, maximum=1000, value=24)
        self.side = QSpinBox(minimum=32, maximum=1024, singleStep=32, value=128)
        self.side.setSuffix(" px")
        self.suggest_button = button("Suggest windows", suggest)
        self.progress = QProgressBar()
        self.list = QListWidget()
        self.list.currentRowChanged.connect(open_row)
        self.status, self.doubts = QLabel(), QLabel()
        for label in (self.status, self.doubts):
            label.setWordWrap(True)
        self.mend_button = button("Mend", mend)
        self.save_button = button("Save and go on", save)
        self.restart_button = button("Start this window over", restart)
        hint = QLabel(_HINT)
        hint.setWordWrap(True)
        form = QFormLayout()
        form.addRow("New windows", self.count)
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

    def tell(self, text: str) -> None:
        """Say how things stand; doubts told before no longer count."""
        self.status.setText(text)
        self.doubt([], False)

    def doubt(self, messages: list[str], mendable: bool) -> None:
        """List what may be wrong with a window, and offer to mend it."""
        self.doubts.setText("<br>".join(f"• {message}" for message in messages))
        self.doubts.setVisible(bool(messages))
        self.mend_button.setVisible(mendable)

    def show_session(self, session: Session | None, index: int, *, drawing: bool, choosing: bool) -> None:
        """List the windows and tell how many are done.

        Parameters
        ----------
        session
            None before a folder was opened.
        index
            Of the window that is open; -1 for none.
        drawing
            Whether there is anything to save.
        choosing
            Whether windows are being chosen.
        """
        windows = session.windows if session else ()
        done = session.done if session else 0
        self.progress.setRange(0, max(1, len(windows)))
        self.progress.setValue(done)
        self.progress.setFormat(f"{done} of {len(windows)} labeled")
        for row, window in enumerate(windows):
            self.list.item(row).setText(_entry(session, window) if session else window.name)
        self.list.blockSignals(True)
        self.list.setCurrentRow(index)
        self.list.blockSignals(False)
        self.suggest_button.setEnabled(session is not None and not choosing)
        for each in (self.save_button, self.restart_button):
            each.setEnabled(drawing)
        if not windows and not choosing:
            self.tell("Suggest windows to begin." if session else "Choose a folder, or drop one on the window.")


def _entry(session: Session, window: Suggestion) -> str:
    """Name a window, with how far it is."""
    if session.is_unsaved(window):
        return f"✎ {window.name}, not saved"
    return f"{'✓' if session.is_done(window) else ' '} {window.name}"
