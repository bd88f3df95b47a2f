"""The table of objects on the screen: rows are chosen whole, and keys do in it what they do on the canvas."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qtpy.QtWidgets import QAbstractItemView, QTableView

_WIDEST = 110
"""Screen pixels of a column at first."""


class ObjectsView(QTableView):
    """Shows an `ObjectsModel`.

    Parameters
    ----------
    keys
        Key, in upper case -> what it does.
    """

    def __init__(self, keys: Mapping[str, Callable[[], None]]) -> None:
        super().__init__()
        self._keys = keys
        self.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QAbstractItemView.SelectionMode.ExtendedSelection)
        self.setSortingEnabled(True)
        self.verticalHeader().hide()
        self.verticalHeader().setDefaultSectionSize(20)

    def fit_columns(self) -> None:
        """Make columns as wide as what is in view needs, within limits."""
        self.resizeColumnsToContents()
        for column in range(self.model().columnCount()):
            self.setColumnWidth(column, min(self.columnWidth(column), _WIDEST))

    @property
    def chosen(self) -> list[int]:
        """The chosen rows, the one chosen first in front."""
        return [index.row() for index in self.selectionModel().selectedRows()]

    def choose(self, rows: Sequence[int]) -> None:
        """Choose rows, and scroll to the last of them."""
        from qtpy.QtCore import QItemSelectionModel

        flag = QItemSelectionModel.SelectionFlag
        self.selectionModel().clearSelection()
        for row in rows:
            index = self.model().index(row, 0)
            self.selectionModel().setCurrentIndex(index, flag.Select | flag.Rows)
            self.scrollTo(index)

    def keyPressEvent(self, event: Any) -> None:
        """Run the action of a key."""
        action = self._keys.get(event.text().upper())
        if action:
            action()
        else:
            super().keyPressEvent(event)
