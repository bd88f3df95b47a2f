"""The tables of docs/benchmark.md: one of each stain and number of labels, a row of each method."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

from fewstain.benchmark.summary import MISSING
from fewstain.benchmark_settings import DONE

HEADINGS = (
    *("method", "AP50 (95 % interval)", "PQ (95 % interval)", "fewstain − method, AP50", "AP", "AJI", "count bias"),
    *("seeds", "minutes: pool", "labels", "seconds: test", "GB", "parameters", "device"),
)


def stain_tables(rows: pd.DataFrame) -> list[str]:
    """Make a table for each n, in lines of Markdown; what learns from all labels comes last.

    What was not run stands below in a sentence each: rows without a number would hide those that have some.

    Parameters
    ----------
    rows
        Those of a stain, as `summarise` makes them.
    """
    parts = []
    known = rows.dropna(subset=["n_images"])
    if len(known):
        first = known.iloc[0]
        parts.append(f"{int(first['n_images'])} test images, {int(first['n_objects'])} objects.\n")
    groups: dict[str, list[dict[str, Any]]] = {}
    unable = []
    for row in rows.to_dict("records"):
        if row["status"] == MISSING and row["reason"]:
            unable.append(row)
        else:
            groups.setdefault(labels_of(row), []).append(row)
    for n, group in groups.items():
        parts += [f"### {n} labeled windows\n" if n.isdecimal() else "### All labels\n", *_table(group)]
    parts += [f"{row['title']} was not run: {row['reason']}.\n" for row in unable]
    return parts


def _table(group: Sequence[dict[str, Any]]) -> list[str]:
    """Make the table of what was run, and name what was not."""
    run = [row for row in group if row["status"] != MISSING]
    parts = []
    if run:
        parts += ["| " + " | ".join(HEADINGS) + " |", "| " + " | ".join("---" for _ in HEADINGS) + " |"]
        parts += ["| " + " | ".join(row_cells(row).values()) + " |" for row in run]
        parts.append("")
    missing = [row["title"] for row in group if row["status"] == MISSING]
    return [*parts, f"Not run: {'; '.join(missing)}.\n"] if missing else parts


def row_cells(row: dict[str, Any]) -> dict[str, str]:
    """Texts of one row of `summarise`, by heading."""
    told = str(row["title"])
    if row["status"] != DONE:
        told += f" — {row['status']}" + (f": {row['reason']}" if row["reason"] else "")
    seconds = [_number(row[name], "{:.0f}", 1 / 60) for name in ("pretraining_s", "fit_s")]
    seconds.append(_number(row["predict_s"], "{:.1f}"))
    values = [
        told,
        _bounded(row, "AP50"),
        _bounded(row, "PQ"),
        _difference(row),
        _number(row["AP"]),
        _number(row["AJI"]),
        _number(row["count_bias"], "{:.1f}"),
        _seeds(row),
        *seconds,
        _number(row["peak_memory_gb"], "{:.1f}"),
        _number(row["parameters"], "{:,.0f}"),
        _text(row["device"]),
    ]
    return dict(zip(HEADINGS, values, strict=True))


def labels_of(row: dict[str, Any]) -> str:
    """Tell how many windows were labeled, or "all"."""
    return "all" if row["n"] is None or row["n"] != row["n"] else str(int(row["n"]))


def _bounded(row: dict[str, Any], name: str, form: str = "{:.3f}") -> str:
    mean, low, high = (_number(row[f"{name}{part}"], form) for part in ("", "_low", "_high"))
    return mean if low == "–" else f"{mean} ({low} to {high})"


def _difference(row: dict[str, Any]) -> str:
    """Tell the difference, and of which seeds where the two methods have not the same."""
    told, shared = _bounded(row, "ours_minus_AP50", "{:+.3f}"), row["shared_seeds"]
    return told if told == "–" or shared == row["seeds"] else f"{told}, seeds {shared}"


def _seeds(row: dict[str, Any]) -> str:
    told = _text(row["seeds"])
    return told if told == "–" or "," in told else f"{told} (images only)"


def _text(value: Any) -> str:
    """Tell a text; pandas has NaN where there is none."""
    return value if isinstance(value, str) and value else "–"


def _number(value: float | None, form: str = "{:.3f}", scale: float = 1.0) -> str:
    return "–" if value is None or value != value else form.format(value * scale)
