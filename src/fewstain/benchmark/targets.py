"""Where our method stands, in words."""

from __future__ import annotations

from typing import Any

import pandas as pd

from fewstain.benchmark.summary import MISSING, OURS
from fewstain.benchmark_settings import ALL_LABELS


def targets(table: pd.DataFrame) -> list[str]:
    """Say in words, for each stain and n, where our method stands: nothing is left out where it loses, or failed.

    Two methods are compared over the seeds that both have.
    """
    lines = []
    few = table[~table["method"].isin([name.value for name in ALL_LABELS])].dropna(subset=["n"])
    for (stain, n), rows in few.groupby(["stain", "n"], sort=False):
        ours, others = rows[rows["method"] == OURS], rows[rows["method"] != OURS].dropna(subset=["AP50"])
        told = "" if ours.empty else _target(ours.iloc[0].to_dict(), others)
        lines += [f"{stain}, n = {int(n)}: {told}."] if told else []
    return lines or ["Nothing to compare yet."]


def _target(own: dict[str, Any], others: pd.DataFrame) -> str:
    if pd.isna(own["AP50"]):
        return _without_score(own, others)
    if others.empty:
        return ""
    compared = others.dropna(subset=["ours_minus_AP50"])
    if compared.empty:
        alone = f"{own['title']} has {own['AP50']:.3f} ({own['status']})"
        return f"{alone}, but shares no seed of the same test images with any other"
    closest, lead = (_least(compared, f"ours_minus_{score}") for score in ("AP50", "PQ"))
    theirs, ours = lead["shared_PQ"], lead["shared_PQ"] + lead["ours_minus_PQ"]
    of_closest, of_lead = _seeds(own, closest), _seeds(own, lead)
    told = [_standing(own, closest) + (of_closest if of_closest != of_lead else "")]
    told.append(f"PQ {ours:.3f}, the best other {theirs:.3f} ({lead['title']}){of_lead}")
    if not pd.isna(own["share_of_bound"]):
        told.append(f"{own['share_of_bound']:.0%} of the upper bound's AP50")
    left = len(others) - len(compared)
    told += [f"{left} not compared, for want of a shared seed"] if left else []
    return "; ".join(told)


def _without_score(own: dict[str, Any], others: pd.DataFrame) -> str:
    reason = f": {own['reason']}" if own["reason"] else ""
    told = f"fewstain has no score ({own['status']}{reason})"
    if others.empty:
        return "" if own["status"] == MISSING else told
    best = others.loc[others["AP50"].astype(float).idxmax()]
    return f"{told}; the best other is {best['title']}, {best['AP50']:.3f}"


def _standing(own: dict[str, Any], other: dict[str, Any]) -> str:
    """Compare AP50 with the method that comes closest or is ahead by the most."""
    ahead, theirs = other["ours_minus_AP50"], other["shared_AP50"]
    ours, us, title = theirs + ahead, own["title"], other["title"]
    if abs(ahead) < 1e-9:
        return f"{us} is level with {title} in AP50, {ours:.3f}"
    if ahead < 0:
        apart = "lies below 0" if other["ours_minus_AP50_high"] < 0 else "includes 0"
        return f"{us} **loses**: {ours:.3f}, where {title} has {theirs:.3f} (the difference's interval {apart})"
    apart = "lies above 0" if other["ours_minus_AP50_low"] > 0 else "includes 0"
    return f"{us} is first in AP50, {ours:.3f}; next is {title}, {theirs:.3f} (the difference's interval {apart})"


def _seeds(own: dict[str, Any], other: dict[str, Any]) -> str:
    """Say on which seeds, where these are not all."""
    shared = str(other["shared_seeds"])
    count = len(shared.split(","))
    planned = int(own["planned_seeds"])
    return "" if count == planned else f", over {count} of {planned} seeds ({shared})"


def _least(rows: pd.DataFrame, column: str) -> dict[str, Any]:
    found: dict[str, Any] = rows.loc[rows[column].astype(float).idxmin()].to_dict()
    return found
