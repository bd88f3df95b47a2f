"""A table of objects for Qt: sorted and filtered as arrays, so that a hundred thousand rows stay quick."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from qtpy.QtCore import QAbstractTableModel, QModelIndex, Qt

from fewstain.pixels.decisions import DECISION, Decision
from fewstain.viewer.choice import Object

_FIRST = ("image", "label", DECISION, "class", "uncertainty", "area_px", "area_um2")
_HIDDEN = ("model_hash", "touches_edge")


class ObjectsModel(QAbstractTableModel):
    """Shows a table of objects; `order` maps rows of the view to rows of the table."""

    def __init__(self) -> None:
        super().__init__()
        self.table = pd.DataFrame()
        self.columns: list[str] = []
        self.order = np.zeros(0, int)
        self._sorted = self.order
        self.sorting: tuple[str, bool] | None = None
        self._decision: Decision | None = None
        self._image: str | None = None

    def set_table(self, table: pd.DataFrame) -> None:
        """Show another table, sorted and filtered as the one before."""
        self.beginResetModel()
        self.table = table
        useful = [name for name in table.columns if name not in _HIDDEN and not table[name].isna().all()]
        self.columns = [name for name in _FIRST if name in useful] + [name for name in useful if name not in _FIRST]
        self._arrange()
        self.endResetModel()

    def set_filter(self, decision: Decision | None, image: str | None, table: pd.DataFrame | None = None) -> None:
        """Show only objects of a decision and of an image; None shows all. Of `table`, if it is another one now."""
        self.beginResetModel()
        self.table = self.table if table is None else table
        self._decision, self._image = decision, image
        self._arrange()
        self.endResetModel()

    def sort(self, column: int, order: Qt.SortOrder = Qt.SortOrder.AscendingOrder) -> None:
        """Sort by a column; missing values come last."""
        self.beginResetModel()
        self.sorting = (self.columns[column], order == Qt.SortOrder.AscendingOrder)
        self._arrange()
        self.endResetModel()

    def objects_at(self, table_rows: Sequence[int] | NDArray[np.integer]) -> list[Object]:
        """Tell which objects some rows of the table are of."""
        rows = self.table.loc[table_rows]
        return [(str(image), int(label)) for image, label in zip(rows["image"], rows["label"], strict=True)]

    def rows_of(self, objects: Sequence[Object]) -> list[int]:
        """Find the rows that show these objects; those that are filtered out are left out."""
        if not objects or not len(self.order):
            return []
        shown = self.table.loc[self.order]
        rows = {each: row for row, each in enumerate(zip(shown["image"], shown["label"], strict=True))}
        return [rows[each] for each in objects if each in rows]

    def order_with(self, table_row: int | None) -> NDArray[np.integer]:
        """Give the rows of the table that are shown, in their order, and among them one that may be filtered out."""
        return self._sorted[np.isin(self._sorted, self.order) | (self._sorted == table_row)]

    def _arrange(self) -> None:
        rows = self.table
        if self.sorting and self.sorting[0] in rows.columns:
            rows = rows.sort_values(self.sorting[0], ascending=self.sorting[1], kind="stable", na_position="last")
        self._sorted = rows.index.to_numpy()
        if self._decision is not None:
            rows = rows[rows[DECISION] == self._decision.value]
        if self._image is not None:
            rows = rows[rows["image"] == self._image]
        self.order = rows.index.to_numpy()

    # --- what Qt asks

    def rowCount(self, parent: QModelIndex | None = None) -> int:
        """How many rows are shown."""
        return 0 if parent is not None and parent.isValid() else len(self.order)

    def columnCount(self, parent: QModelIndex | None = None) -> int:
        """How many columns are shown."""
        return 0 if parent is not None and parent.isValid() else len(self.columns)

    def headerData(self, section: int, orientation: Any, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Names of the columns, numbers of the rows."""
        if role != Qt.ItemDataRole.DisplayRole:
            return None
        return self.columns[section] if orientation == Qt.Orientation.Horizontal else str(section + 1)

    def data(self, index: QModelIndex, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        """Text of a cell."""
        if role == Qt.ItemDataRole.DisplayRole:
            return _text(self.table.at[self.order[index.row()], self.columns[index.column()]])
        if role == Qt.ItemDataRole.TextAlignmentRole and self.columns[index.column()] not in (
            "image",
            DECISION,
            "class",
        ):
            return int(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        return None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
