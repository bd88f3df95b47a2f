"""Write the tables of docs/accuracy.md from the JSON files of benchmarks/ablation.py and views.py.

    python benchmarks/accuracy_table.py RESULT.json… [--page docs/accuracy.md]

What stands between the page's two markers is replaced.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from page import write_tables


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables of docs/accuracy.md from results of ablation.py and views.py.")
    parser.add_argument("results", type=Path, nargs="+", help="JSON files of ablation.py and views.py")
    parser.add_argument("--page", type=Path, default=Path("docs/accuracy.md"))
    options = parser.parse_args()
    write_tables(options.page, options.results, content, "accuracy")


def content(results: list[dict[str, Any]]) -> str:
    """Tables of all results: the views of the windows, and the variants of the pixel fit."""
    views = [of_views(result) for result in results if "views" in result]
    variants = [ablation(result) for result in results if "variants" in result]
    parts = ["## What the views of the windows are worth\n", *views] if views else []
    parts += ["## What each part of the pixel fit is worth\n", *variants] if variants else []
    return "\n".join(parts)


def of_views(result: dict[str, Any]) -> str:
    """Kinds of views, on further windows of one stain."""
    lines = [
        f"### {result['stain']}, {result['further_windows']} further windows",
        "",
        f"{result['n_labels']} labels, seed {result['seed']}; classical filters alone.",
        "",
        "| windows seen | AP50, decoder by windows | by their views too | the best together | the same one by one "
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


if __name__ == "__main__":
    main()
