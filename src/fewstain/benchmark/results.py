"""The cells that were run, and those of an earlier version that may stand in for one that was not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fewstain.benchmark.plan import Cell
from fewstain.benchmark_settings import DONE
from fewstain.settings import Preset
from fewstain.storage import read_json


def read_cells(planned: Sequence[Cell], folder: Path, preset: Preset) -> list[dict[str, Any]]:
    """Read the cells that were run; in place of one that was not, the last of an earlier version that may stand in.

    One that was done comes before any that failed or was cut short; yet these stand in as well, for a table of those
    that went well alone would flatter.

    Parameters
    ----------
    planned
        Those wanted.
    folder
        Where they lie.
    preset
        Of an earlier version's cell, see `stands_in`.

    Returns
    -------
    list of dict
        As `run_cell` writes them; "earlier" tells of one that it is of an earlier version.

    Raises
    ------
    UserError
        One is damaged.
    """
    found = []
    for cell in planned:
        path = folder / f"{cell.name}.json"
        if path.is_file():
            found.append(read_json(path))
            continue
        others = [read_json(other) for other in sorted(folder.glob(f"{cell.trial}-*.json"))]
        others = [other for other in others if stands_in(other, cell, preset)]
        others = [other for other in others if other["status"] == DONE] or others
        found += [max(others, key=lambda other: str(other["finished"])) | {"earlier": True}] if others else []
    return found


def stands_in(found: dict[str, Any], planned: Cell, preset: Preset) -> bool:
    """Tell whether a cell of the same trial measured what is planned, but for code and numbers of the methods.

    It has the same preset, and agrees in data, channels, weights from elsewhere and budget, as far as it tells of them:
    older ones do not.
    """
    if found.get("preset") != preset:
        return False
    channels = None if planned.channels is None else list(planned.channels)
    needed = {"data": planned.data, "channels": channels, "backbone": planned.backbone}
    if any(name in found and found[name] != value for name, value in needed.items()):
        return False
    return _same_budget(found.get("budget") or {}, planned)


def _same_budget(found: dict[str, Any], planned: Cell) -> bool:
    if found.get("kind") is not None:
        return bool(found["kind"] == planned.budget)
    # an older one tells the numbers of its training on labels, if it had any, and not where they come from
    if found.get("steps") is not None:
        return planned.budget == f"{found['steps']} steps"
    if found.get("seconds") is not None:
        return planned.budget in ("as long as ours", f"{found['seconds']:g} seconds")
    return True
