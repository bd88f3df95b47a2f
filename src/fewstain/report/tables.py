"""Tables of the report as HTML pages of their own."""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title><style>
body {{ font: 14px system-ui, sans-serif; margin: 1.5em; background: #fff; color: #222 }}
table {{ border-collapse: collapse; margin: 0.5em 0 1.5em }}
th, td {{ padding: 0.25em 0.8em; border-bottom: 1px solid #ddd; text-align: right }}
th:first-child, td:first-child {{ text-align: left }}
thead th {{ border-bottom: 2px solid #888 }}
p {{ max-width: 50em; color: #444 }}
</style></head><body>
{body}
</body></html>
"""
_SHARD = re.compile(r"-\d+-of-\d+$")  # ends the name of a job that did one of several parts of a step
_SCORES = (
    *("AP50", "AP", "PQ", "AJI", "F1", "mIoU", "IoU", "count_relative_bias", "count_relative_bias_95"),
    *("count_bias", "count_limits_95", "n_images", "n_windows", "n_objects"),
)


def page(title: str, sections: Sequence[tuple[str, str, pd.DataFrame]]) -> str:
    """Make an HTML page of (heading, explanation, table) sections; numbers get four digits."""
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for heading, explanation, table in sections:
        if heading:
            parts.append(f"<h2>{html.escape(heading)}</h2>")
        if explanation:
            parts.append(f"<p>{html.escape(explanation)}</p>")
        parts.append(table.map(cell).to_html(index=False, border=0) if len(table) else "<p>none</p>")
    return _PAGE.format(title=html.escape(title), body="\n".join(parts))


def cell(value: Any) -> str:
    """Text of one value: four digits, lists with commas, nothing for nothing."""
    if value is None or (isinstance(value, float) and value != value):
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list | tuple):
        return ", ".join(cell(each) for each in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(each)}" for key, each in value.items())
    return str(value)


def score_table(scores: Mapping[str, Any]) -> pd.DataFrame:
    """Set scores.json's test and out-of-fold scores side by side, one row a score; these are of windows, not images."""
    columns: dict[str, dict[str, Any]] = {name: dict(scores.get(name) or {}) for name in ("test", "out_of_fold")}
    windows = columns["out_of_fold"].pop("n_images", None)
    columns["out_of_fold"].setdefault("n_windows", windows)
    rows: list[dict[str, Any]] = [
        {"score": name} | {column: found.get(name) for column, found in columns.items()} for name in _SCORES
    ]
    rows = [row for row in rows if row["test"] is not None or row["out_of_fold"] is not None]
    return pd.DataFrame(rows, columns=["score", *columns], dtype=object)


def count_table(counts: pd.DataFrame) -> pd.DataFrame:
    """counts.csv with the images to look at first: the flagged ones, then by uncertainty."""
    order = ["look_at_this_one", "mean_uncertainty"]
    return counts.sort_values(order, ascending=False, kind="stable").reset_index(drop=True)


def time_table(benchmarks: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Snakemake's benchmark tables, one a job -> one row a job with its time and peak memory.

    The shards of a step, such as pairs-1-of-2 and pairs-2-of-2, are one row: their times add up, and the memory is that
    of the one that took most.
    """
    steps: dict[str, dict[str, Any]] = {}
    for job, table in benchmarks.items():
        row, step = table.iloc[-1], _SHARD.sub("", job)
        memory = float(pd.to_numeric(row.get("max_rss"), errors="coerce"))
        found = steps.setdefault(step, {"job": step, "seconds": 0.0, "peak memory, MiB": memory})
        found["seconds"] += float(row["s"])
        found["peak memory, MiB"] = np.fmax(found["peak memory, MiB"], memory).item()
    rows = list(steps.values())
    total = {"job": "all", "seconds": sum(row["seconds"] for row in rows), "peak memory, MiB": None}
    return pd.DataFrame([*rows, total], dtype=object)
