"""Corrections that were given up: moved aside, so that they can be had back."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from fewstain.storage import write_errors_named

FORGOTTEN = "forgotten"
"""Folder beside the corrected masks that takes those that were given up; nothing reads them."""


def move_aside(mask: Path) -> Path | None:
    """Move a corrected mask and the table beside it.

    Parameters
    ----------
    mask
        corrected/<image>.tif of a results folder.

    Returns
    -------
    Path or None
        Where they lie now, corrected/forgotten/<number>; None where there was neither.

    Raises
    ------
    UserError
        They cannot be moved.
    """
    files = [path for path in (mask, mask.with_suffix(".csv")) if path.is_file()]
    if not files:
        return None
    folders = (mask.parent / FORGOTTEN / str(number) for number in count(1))
    aside = next(folder for folder in folders if not folder.exists())
    with write_errors_named(aside):
        aside.mkdir(parents=True)
        for path in files:
            path.rename(aside / path.name)
    return aside
