"""A line that names a folder, with a button to choose one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QPushButton, QWidget


class FolderField(QWidget):
    """Calls `chosen` with the folder when one was typed or picked."""

    def __init__(self, hint: str, chosen: Callable[[Path], None]) -> None:
        super().__init__()
        self._chosen = chosen
        self.line = QLineEdit()
        self.line.setPlaceholderText(hint)
        self.line.returnPressed.connect(self._typed)
        browse = QPushButton("Choose …")
        browse.clicked.connect(self._browse)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line)
        layout.addWidget(browse)

    def set(self, folder: Path | str) -> None:
        """Show a folder and tell of it."""
        self.line.setText(str(folder))
        self._typed()

    def _typed(self) -> None:
        if text := self.line.text().strip():
            self._chosen(Path(text).expanduser())

    def _browse(self) -> None:
        folder = QFileDialog.getExistingDirectory(self, "Choose a folder", self.line.text())
        if folder:
            self.set(folder)
