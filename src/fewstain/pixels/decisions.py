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


TEXTS = ("image", "class", "reason", DECISION, MODEL)
"""Columns of our tables that hold text, in which NA, None and null are names as any others."""
_NO_NUMBER = ["", "NA", "NaN", "nan", "N/A", "NULL", "null", "None"]


def read_table(path: Path) -> pd.DataFrame:
    """Read a table of objects or images; what is empty is NaN, and in columns of numbers NA and the like as well.

    Raises
    ------
    OSError, ValueError
        The file is missing or damaged.
    """
    columns = pd.read_csv(path, nrows=0).columns
    empty = {column: [""] if column in TEXTS else _NO_NUMBER for column in columns}
    return pd.read_csv(path, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values=empty)


def read_objects(path: Path) -> pd.DataFrame:
    """Read measurements.csv, or the table beside a corrected mask; UserError when it is none."""
    try:
        return read_table(path).astype({"label": int, "area_px": int})
    except (OSError, ValueError, KeyError) as error:
        raise UserError(f"{path}: not readable as a table of objects ({error}); remove it, and run again") from error


def write_objects(path: Path, rows: pd.DataFrame) -> None:
    """Write the table beside a corrected mask, in the order of the objects' numbers."""
    with atomic_path(path) as temporary:
        rows.sort_values("label").to_csv(temporary, index=False, float_format="%.10g")
