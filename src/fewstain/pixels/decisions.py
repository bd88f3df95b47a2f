"""Corrected masks beside the predicted ones, and the table of what somebody decided on their objects."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path

import pandas as pd

from fewstain.errors import UserError
from fewstain.storage import atomic_path

CORRECTED = "corrected"
"""Folder of a results folder that takes corrected masks, beside the predicted ones."""
DECISION, MODEL = "decision", "model_hash"
"""Columns of the table of objects beside a corrected mask."""


class Decision(StrEnum):
    """What a person said of an object; OPEN until then."""

    OPEN = ""
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CHANGED = "changed"


def read_objects(path: Path) -> pd.DataFrame:
    """Read measurements.csv, or the table beside a corrected mask; UserError when it is none."""
    try:
        table = pd.read_csv(path, dtype={"image": str, "class": str, DECISION: str, MODEL: str}, keep_default_na=True)
        return table.astype({"label": int, "area_px": int})
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not readable as a table of objects ({error}); remove it, and run again") from error


def write_objects(path: Path, rows: pd.DataFrame) -> None:
    """Write the table beside a corrected mask, in the order of the objects' numbers."""
    with atomic_path(path) as temporary:
        rows.sort_values("label").to_csv(temporary, index=False, float_format="%.10g")
