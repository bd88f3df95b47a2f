"""Cells -> one row for each method, stain and n, with its mean, its interval and its price."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fewstain.benchmark.intervals import (
    SCORES,
    Counts,
    Interval,
    counts_of,
    difference,
    interval,
    mean,
    of_seeds,
    shared_seeds,
)
from fewstain.benchmark_settings import ALL_LABELS, DONE, TITLES, MethodName

OURS, BOUND = MethodName.ours.value, MethodName.unet_all.value
MISSING = "not run"
FROM_ELSEWHERE = {MethodName.cellpose: "Cellpose from pretrained weights"}  # its title then
EARLIER = " (an earlier version)"
COLUMNS = (
    *("stain", "n", "method", "title", "seeds", "planned_seeds", "status"),
    *(f"{score}{part}" for score in SCORES for part in ("", "_low", "_high")),
    *(f"ours_minus_{score}{part}" for score in SCORES for part in ("", "_low", "_high")),
    *("shared_seeds", *(f"shared_{score}" for score in SCORES), "share_of_bound"),
    *("AP", "AJI", "F1", "mIoU", "count_bias", "pretraining_s", "fit_s", "predict_s", "peak_memory_gb", "parameters"),
    *("device", "n_images", "n_objects", "reason"),
)

Key = tuple[str, str, int | None]


def summarise(
    cells: Sequence[dict[str, Any]],
    wanted: Mapping[Key, Sequence[int]] | None = None,
    left_out: dict[str, str] | None = None,
) -> pd.DataFrame:
    """Make the table of a benchmark.

    Parameters
    ----------
    cells
        As `read_cells` gives them.
    wanted
        (stain, method, n) of rows to show even where no cell of them was run, and the seeds that were planned of each;
        those of the cells where untold.
    left_out
        Methods that could not run here, and why: a row of each stain.

    Returns
    -------
    pandas.DataFrame
        With `COLUMNS`, by stain, n, and the best AP50 first. Scores are means over the seeds that were done; bounds
        are of 95 % intervals. Differences from our method, "shared_…" (the method's own mean) and "share_of_bound"
        (of the upper bound's AP50, in our rows) are over the seeds that both have.
    """
    groups: dict[Key, list[dict[str, Any]]] = {key: [] for key in wanted or ()}
    for cell in cells:
        groups.setdefault((cell["stain"], cell["method"], cell["n"]), []).append(cell)
    shown = {key: _of_one_version(group) for key, group in groups.items()}
    counts = {key: counts_of(done) for key, group in shown.items() if (done := _done(group))}
    rows = []
    for key, group in groups.items():
        seeds = (wanted or {}).get(key) or {cell["seed"] for cell in group}
        rows.append(_row(key, shown[key], counts) | _told(shown[key], group, len(seeds)))
    for stain in dict.fromkeys(key[0] for key in groups):
        for method, reason in (left_out or {}).items():
            rows.append(_empty_row((stain, method, None)) | {"status": MISSING, "reason": reason})
    table = pd.DataFrame(rows, columns=list(COLUMNS))
    order = table.assign(at=table["n"].fillna(np.inf), worse=-table["AP50"].astype(float).fillna(-1.0))
    return table.loc[order.sort_values(["stain", "at", "worse", "method"], kind="stable").index].reset_index(drop=True)


def _of_one_version(group: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Take the present version's cells, or those of an earlier one where it has none: never a mean of both.

    Of earlier ones that were done only those of the last one's test images are taken: the data may have changed
    between.
    """
    present = [cell for cell in group if not cell.get("earlier")]
    done = _done(group)
    if present or not done:
        return present or list(group)
    last = _test_images(max(done, key=lambda cell: str(cell["finished"])))
    return [cell for cell in group if _test_images(cell) in (None, last)]


def _test_images(cell: dict[str, Any]) -> list[str] | None:
    """Names of the test images that a cell was scored on; None where it was not."""
    images = cell.get("images")
    return None if images is None else [image["image"] for image in images]


def _done(group: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return [cell for cell in group if cell["status"] == DONE]


def _row(key: Key, group: Sequence[dict[str, Any]], counts: dict[Key, Counts]) -> dict[str, Any]:
    """Scores and prices of the cells that were done; prices of those that failed or were cut short where none was."""
    done = _done(group)
    row = _empty_row(key) | _prices(done or group)
    if not done:
        return row
    row["title"] = _title(MethodName(key[1]), done)
    row["seeds"] = _listed([cell["seed"] for cell in done])
    for score in SCORES:
        row |= _named(score, interval(counts[key], score))
    row |= _beside(key, counts)
    for name in ("AP", "AJI", "F1", "mIoU", "count_bias"):
        row[name] = _mean([cell["scores"][name] for cell in done])
    row["parameters"] = max(cell["parameters"] for cell in done)
    row["n_images"], row["n_objects"] = done[0]["scores"]["n_images"], done[0]["scores"]["n_objects"]
    return row


def _prices(cells: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean seconds, largest memory and devices, of the cells that tell of them."""
    seconds = [cell.get("seconds", {}) for cell in cells]
    prices: dict[str, Any] = {
        f"{name}_s": _mean([each.get(name) for each in seconds]) for name in ("pretraining", "fit", "predict")
    }
    peaks = [cell["peak_memory_bytes"] for cell in cells if cell.get("peak_memory_bytes") is not None]
    devices = {cell["device"] for cell in cells if cell.get("device")}
    return prices | {
        "peak_memory_gb": max(peaks) / 1e9 if peaks else None,
        "device": ", ".join(sorted(devices)) or None,
    }


def _beside(key: Key, counts: dict[Key, Counts]) -> dict[str, Any]:
    """How our method stands to the one of a row, or to the upper bound in our own row, over the seeds both have."""
    stain, method, n = key
    own = counts[key]
    other = counts.get((stain, BOUND, None) if method == OURS else (stain, OURS, n))
    if other is None or not (seeds := shared_seeds(other, own)):
        return {}
    mine, others = of_seeds(own, seeds), of_seeds(other, seeds)
    if method == OURS:
        reached, bound = mean(mine, "AP50"), mean(others, "AP50")
        return {"share_of_bound": reached / bound if reached is not None and bound else None}
    row: dict[str, Any] = {"shared_seeds": _listed(seeds)}
    for score in SCORES:
        row |= {f"shared_{score}": mean(mine, score)} | _named(f"ours_minus_{score}", difference(other, own, score))
    return row


def _title(method: MethodName, done: Sequence[dict[str, Any]]) -> str:
    """Name a method, with what it has from elsewhere, and whether its cells are of an earlier version."""
    elsewhere = done[0].get("backbone")
    title = TITLES[method]
    if elsewhere:
        title = f"{FROM_ELSEWHERE.get(method, title)}: {elsewhere.rpartition('@')[0]}"
    return title + (EARLIER if done[0].get("earlier") else "")


def _told(shown: Sequence[dict[str, Any]], group: Sequence[dict[str, Any]], planned: int) -> dict[str, Any]:
    """Tell what became of the planned cells, and why some of them were not done."""
    kinds = Counter(cell["status"] for cell in shown)
    done, aside = kinds.pop(DONE, 0), len(group) - len(shown)
    told = [f"{done} of {planned} seeds"] if 0 < done < planned else []
    earlier = EARLIER if not done and any(cell.get("earlier") for cell in shown) else ""  # else the title says so
    told += [f"{count} {kind}{earlier}" for kind, count in kinds.items()]
    told += [f"{aside} of an earlier version, not shown"] if aside else []
    if not done and (rest := planned - len(group)):
        told += [f"{rest} {MISSING}" if shown else MISSING]
    reasons = dict.fromkeys(cell["reason"] for cell in shown if cell.get("reason"))
    return {"status": ", ".join(told) or DONE, "reason": "; ".join(reasons), "planned_seeds": planned}


def _empty_row(key: Key) -> dict[str, Any]:
    stain, method, n = key
    shown = TITLES[MethodName(method)]
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    return row | {"stain": stain, "method": method, "n": None if method in ALL_LABELS else n, "title": shown}


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(str(seed) for seed in sorted(seeds))


def _named(name: str, value: Interval) -> dict[str, float | None]:
    return {name: value.mean, f"{name}_low": value.low, f"{name}_high": value.high}


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None
