"""Cells -> one row for each method, stain and n, with its mean, its interval and its price."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fewstain.benchmark.intervals import SCORES, Counts, Interval, counts_of, difference, interval
from fewstain.benchmark.plan import Cell
from fewstain.benchmark_settings import ALL_LABELS, DONE, TITLES, MethodName
from fewstain.settings import Preset
from fewstain.storage import read_json

OURS = MethodName.ours.value
MISSING = "not run"
EARLIER = " (an earlier version)"
COLUMNS = (
    *("stain", "n", "method", "title", "seeds", "status"),
    *(f"{score}{part}" for score in SCORES for part in ("", "_low", "_high")),
    *(f"ours_minus_{score}{part}" for score in SCORES for part in ("", "_low", "_high")),
    *("AP", "AJI", "F1", "mIoU", "count_bias", "pretraining_s", "fit_s", "predict_s", "peak_memory_gb", "parameters"),
    *("device", "n_images", "n_objects", "reason"),
)

Key = tuple[str, str, int | None]


def read_cells(planned: Sequence[Cell], folder: Path, preset: Preset) -> list[dict[str, Any]]:
    """Read the cells that were run; in place of one that was not, that of an earlier version of its method.

    Parameters
    ----------
    planned
        Those wanted.
    folder
        Where they lie.
    preset
        Of an earlier version's cell, which may differ in all other numbers.

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
        others = [other for other in others if other.get("preset") == preset and other["status"] == DONE]
        found += [max(others, key=lambda other: str(other["finished"])) | {"earlier": True}] if others else []
    return found


def summarise(
    cells: Sequence[dict[str, Any]], wanted: Sequence[Key] = (), left_out: dict[str, str] | None = None
) -> pd.DataFrame:
    """Make the table of a benchmark.

    Parameters
    ----------
    cells
        As `run_cell` writes them.
    wanted
        (stain, method, n) of rows to show even where no cell of them was run.
    left_out
        Methods that could not run here, and why: a row of each stain.

    Returns
    -------
    pandas.DataFrame
        With `COLUMNS`, by stain, n, and the best AP50 first. Scores are means over the seeds that were done; bounds
        are of 95 % intervals.
    """
    groups: dict[Key, list[dict[str, Any]]] = {key: [] for key in wanted}
    for cell in cells:
        groups.setdefault((cell["stain"], cell["method"], cell["n"]), []).append(cell)
    counts = {key: counts_of(done) for key, group in groups.items() if (done := _done(group))}
    rows = [_row(key, group, counts) for key, group in groups.items()]
    for stain in dict.fromkeys(key[0] for key in groups):
        for method, reason in (left_out or {}).items():
            rows.append(_empty_row((stain, method, None)) | {"status": MISSING, "reason": reason})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = table.assign(at=table["n"].fillna(np.inf), worse=-table["AP50"].astype(float).fillna(-1.0))
    return table.loc[order.sort_values(["stain", "at", "worse", "method"], kind="stable").index].reset_index(drop=True)


def _done(group: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [cell for cell in group if cell["status"] == DONE]


def _row(key: Key, group: Sequence[dict[str, Any]], counts: dict[Key, Counts]) -> dict[str, Any]:
    row = _empty_row(key)
    row["status"], row["reason"] = _status(group)
    done = _done(group)
    if not done:
        return row
    if any(cell.get("earlier") for cell in done):
        row["title"] += EARLIER
    row["seeds"] = ", ".join(str(cell["seed"]) for cell in sorted(done, key=lambda cell: cell["seed"]))
    ours = counts.get((key[0], OURS, key[2]))
    for score in SCORES:
        row |= _named(score, interval(counts[key], score))
        if ours is not None and key[1] != OURS and ours.images == counts[key].images:
            row |= _named(f"ours_minus_{score}", difference(ours, counts[key], score))
    for name in ("AP", "AJI", "F1", "mIoU", "count_bias"):
        row[name] = _mean([cell["scores"][name] for cell in done])
    for name in ("pretraining", "fit", "predict"):
        row[f"{name}_s"] = _mean([cell["seconds"].get(name) for cell in done])
    row["peak_memory_gb"] = max(cell["peak_memory_bytes"] for cell in done) / 1e9
    row["parameters"] = max(cell["parameters"] for cell in done)
    row["device"] = ", ".join(sorted({cell["device"] for cell in done}))
    row["n_images"], row["n_objects"] = done[0]["scores"]["n_images"], done[0]["scores"]["n_objects"]
    return row


def _empty_row(key: Key) -> dict[str, Any]:
    stain, method, n = key
    shown = TITLES[MethodName(method)]
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    return row | {"stain": stain, "method": method, "n": None if method in ALL_LABELS else n, "title": shown}


def _status(group: Sequence[dict[str, Any]]) -> tuple[str, str]:
    """Tell what became of the cells, and why some of them were not done."""
    if not group:
        return MISSING, ""
    kinds: defaultdict[str, int] = defaultdict(int)
    for cell in group:
        kinds[cell["status"]] += 1
    if set(kinds) == {DONE}:
        return DONE, ""
    told = ", ".join(f"{count} {kind}" for kind, count in kinds.items())
    reasons = dict.fromkeys(cell["reason"] for cell in group if cell.get("reason"))
    return told, "; ".join(reasons)


def _named(name: str, value: Interval) -> dict[str, float | None]:
    return {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
