"""What objects were before they changed, so that taking a change back also brings back what was decided on them."""

from __future__ import annotations

import numpy as np
import pandas as pd

from fewstain.pixels.decisions import DECISION, Decision

_SHAPE = ["area_px", "centroid_y_px", "centroid_x_px"]


class Earlier:
    """Rows of the table of one image's objects, as they were before each change; forgotten with the layer's undo."""

    def __init__(self) -> None:
        self._rows: dict[int, list[pd.DataFrame]] = {}
        self._made: set[int] = set()

    def keep(self, rows: pd.DataFrame) -> None:
        """Remember rows that are about to change; rejected ones have no shape to come back to."""
        rows = rows[rows[DECISION] != Decision.REJECTED]
        for place, label in enumerate(rows["label"]):
            self._rows.setdefault(int(label), []).append(rows.iloc[[place]])

    def find(self, row: pd.DataFrame) -> pd.DataFrame | None:
        """Give the last row of this object when it had this area and centroid; None when it never had."""
        for earlier in reversed(self._rows.get(int(row["label"].iloc[0]), [])):
            if np.allclose(row[_SHAPE].to_numpy(float), earlier[_SHAPE].to_numpy(float), rtol=1e-6):
                return earlier
        return None

    def made(self, label: int) -> None:
        """Note that an object is one that was drawn or cut off since."""
        self._made.add(label)

    def is_made(self, label: int) -> bool:
        """Whether it is; when its making is taken back nothing is left of it."""
        return label in self._made
