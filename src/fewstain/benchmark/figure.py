"""The figure of a benchmark: score against labels, a panel for each stain."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from fewstain.benchmark.summary import EARLIER
from fewstain.benchmark_settings import ALL_LABELS, TITLES, MethodName

OURS_COLOUR, BOUND_COLOUR = "#d1495b", "#555555"
# Okabe & Ito's, which most colour-blind eyes tell apart; with markers, for there are more methods than colours
COLOURS = ("#0072B2", "#009E73", "#E69F00", "#56B4E9", "#CC79A7", "#8c6d31", "#000000")
BOUND_LINES = (":", "-.")
MARKERS = ("s", "^", "D", "v", "P", "X", "*")
PANEL = 3.9
WIDEST = 3  # panels beside each other


def benchmark_figure(table: pd.DataFrame, score: str = "AP50") -> Figure:
    """Draw a score against the number of labels.

    Parameters
    ----------
    table
        As `summarise` makes it.
    score
        "AP50" or "PQ".
    """
    stains = list(dict.fromkeys(table["stain"]))
    columns = min(len(stains), WIDEST) or 1
    rows = max(1, -(-len(stains) // columns))
    figure = Figure(figsize=(PANEL * columns + 2.6, 3.4 * rows + 0.3), dpi=110, layout="constrained")
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    styles = _styles(table)
    drawn: dict[str, Any] = {}
    for axes, stain in zip(panels, stains, strict=False):
        _draw_stain(axes, table[table["stain"] == stain], score, styles, drawn)
        axes.set(title=stain, xlabel="labeled windows", ylabel=f"{score} on test images")
    for axes in panels[len(stains) :]:
        axes.set_axis_off()
    if drawn:
        figure.legend(drawn.values(), drawn.keys(), loc="outside right upper", frameon=False, fontsize=8)
    return figure


def _draw_stain(
    axes: Axes, rows: pd.DataFrame, score: str, styles: dict[str, dict[str, Any]], drawn: dict[str, Any]
) -> None:
    """Draw a line for each method, moved a little aside so that intervals stay apart, and the upper bounds across."""
    known = rows.dropna(subset=[score])
    counts = sorted({int(n) for n in known["n"].dropna()})
    methods = [name for name in styles if name in set(known["method"])]
    for number, name in enumerate(methods):
        own = known[known["method"] == name].sort_values("n")
        values = own[score].astype(float)
        low, high = own[f"{score}_low"].astype(float), own[f"{score}_high"].astype(float)
        title = str(own["title"].iloc[0]).removesuffix(EARLIER)
        if name in ALL_LABELS:
            drawn.setdefault(title, axes.axhline(float(values.iloc[0]), **styles[name]))
            axes.axhspan(float(low.iloc[0]), float(high.iloc[0]), color=BOUND_COLOUR, alpha=0.08, linewidth=0)
            continue
        at = own["n"].astype(float) * (1 + 0.02 * (number - len(methods) / 2))
        bars = axes.errorbar(
            at, values, [(values - low).clip(0), (high - values).clip(0)], capsize=2, elinewidth=0.8, **styles[name]
        )
        drawn.setdefault(title, bars)
    axes.set_xscale("log")
    axes.set_xticks(counts, [str(n) for n in counts])
    axes.minorticks_off()
    if counts:
        axes.set_xlim(counts[0] * 0.75, counts[-1] * 1.35)
    axes.spines[["top", "right"]].set_visible(False)


def _styles(table: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Style of each method that has a score, the same in all panels; ours is drawn last, on top."""
    present = set(table.dropna(subset=["AP50"])["method"])
    others = [name for name in TITLES if name.value in present and name is not MethodName.ours]
    styles: dict[str, dict[str, Any]] = {}
    for number, name in enumerate(each for each in others if each not in ALL_LABELS):
        colour, marker = COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)]
        line = "-" if number < len(COLOURS) else "--"
        styles[name.value] = {"color": colour, "marker": marker, "markersize": 4, "linewidth": 1.1, "linestyle": line}
    bounds = [each for each in others if each in ALL_LABELS]
    for name, line in zip(bounds, BOUND_LINES, strict=False):
        styles[name.value] = {"color": BOUND_COLOUR, "linestyle": line, "linewidth": 1.3}
    if MethodName.ours.value in present:
        styles[MethodName.ours.value] = {"color": OURS_COLOUR, "marker": "o", "markersize": 5, "linewidth": 2.0}
    return styles
