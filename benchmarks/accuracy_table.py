"""Write the tables of docs/accuracy.md from the JSON files of benchmarks/accuracy.py, ablation.py and views.py.

    python benchmarks/accuracy_table.py RESULT.json… [--page docs/accuracy.md]

What stands between the page's two markers is replaced.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

from page import replace_tables

METHODS = {"ours": "fewstain", "forest": "random forest", "unet": "U-Net from scratch"}
SCORES = ("AP50", "AP", "PQ", "AJI", "F1", "mIoU")
HEADINGS = ("method", *SCORES, "count bias (95 % limits)", "labels", "seed", "minutes", "GB", "device")


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables of docs/accuracy.md from results of accuracy.py.")
    parser.add_argument("results", type=Path, nargs="+", help="JSON files of accuracy.py and ablation.py")
    parser.add_argument("--page", type=Path, default=Path("docs/accuracy.md"))
    options = parser.parse_args()
    results = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    text = replace_tables(options.page.read_text(encoding="utf-8"), content(results), "accuracy")
    options.page.write_text(text, encoding="utf-8")


def content(results: list[dict[str, Any]]) -> str:
    """Tables of all results: the methods on each stain, the views of the windows, and the variants of the pixel fit."""
    methods = tables([result for result in results if not {"variants", "views"} & result.keys()])
    views = [of_views(result) for result in results if "views" in result]
    variants = [ablation(result) for result in results if "variants" in result]
    parts = [methods]
    parts += ["## What the views of the windows are worth\n", *views] if views else []
    parts += ["## What each part of the pixel fit is worth\n", *variants] if variants else []
    return "\n".join(parts)


def of_views(result: dict[str, Any]) -> str:
    """Kinds of views, on further windows of one stain."""
    lines = [
        f"### {result['stain']}, {result['further_windows']} further windows",
        "",
        f"{result['n_labels']} labels, seed {result['seed']}; classical filters alone.",
        "",
        "| windows seen | AP50, decoder by windows | by their views too | seven in agreement | the seven one by one "
        "| best of all | mean of all | merged |",
        "| --- " * 8 + "|",
    ]
    for row in result["views"]:
        names = (
            *("AP50_decoder_by_windows", "AP50_decoder_by_views_too", "AP50_agreed", "AP50_agreeing"),
            *("AP50_best", "AP50_mean"),
        )
        lines.append(" | ".join([f"| {row['variant']}", *(f"{row[name]:.3f}" for name in names), f"{row['merged']} |"]))
    return "\n".join([*lines, ""])


def ablation(result: dict[str, Any]) -> str:
    """Variants of one stain, out-of-fold."""
    lines = [
        f"### {result['stain']}, out-of-fold",
        "",
        f"{result['n_labels']} labels, seed {result['seed']}; {result['diffusion_steps']} steps of the denoiser.",
        "",
        "| variant | AP50 (standard error) | AP | seconds |",
        "| --- | --- | --- | --- |",
    ]
    for row in result["variants"]:
        score = f"{row['AP50']:.3f} ({row['AP50_standard_error']:.3f})"
        lines.append(f"| {row['variant']} | {score} | {row['AP']:.3f} | {row['fit_s']:.0f} |")
    return "\n".join([*lines, ""])


def tables(results: list[dict[str, Any]]) -> str:
    """One Markdown table for each stain, its best AP50 first, followed by the commands."""
    stains = defaultdict(list)
    for result in results:
        stains[result["stain"]].append(result)
    parts = []
    for stain in sorted(stains):
        ranked = sorted(stains[stain], key=lambda result: -(result["test"]["AP50"] or 0))
        test = ranked[0]["test"]
        lines = [
            f"### {stain}",
            "",
            f"{test['n_images']} test images, {test['n_objects']} objects.",
            "",
            "| " + " | ".join(HEADINGS) + " |",
            "| " + " | ".join("---" for _ in HEADINGS) + " |",
            *("| " + " | ".join(row(result)) + " |" for result in ranked),
            "",
            *(f"    {result['command']}" for result in ranked),
            "",
        ]
        parts.append("\n".join(lines))
    return "\n".join(parts)


def row(result: dict[str, Any]) -> list[str]:
    """Cells of one result, in the order of `HEADINGS`."""
    test = result["test"]
    return [
        method_name(result),
        *(number(test[score], 3) for score in SCORES),
        f"{number(test['count_bias'], 1)} ({limits(test['count_limits_95'])})",
        str(result["n_labels"]),
        str(result["seed"]),
        number(result["wall_s"] / 60, 1),
        number(result["peak_memory_gb"], 1),
        result["device"],
    ]


def method_name(result: dict[str, Any]) -> str:
    """Name of the method with what it was allowed."""
    name = METHODS[result["method"]]
    if result["method"] == "ours":
        return f"{name}, preset {result['preset']}" + "".join(f", {pair}" for pair in result["set"])
    if result["method"] == "unet":
        end = "as many steps" if result["budget"] == "steps" else "as much time"
        return f"{name}, {end} ({result['steps']} steps)"
    return name


def number(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def limits(pair: list[float] | None) -> str:
    return "–" if pair is None else f"{pair[0]:.1f} to {pair[1]:.1f}"


if __name__ == "__main__":
    main()
