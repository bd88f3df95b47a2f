"""Write the methods' scores in docs/accuracy.md from cells of the benchmark.

    python benchmarks/cell_table.py benchmarks/results/*-n24-seed0-*.json [--page docs/accuracy.md]

What stands between the page's two markers is replaced. Cells that failed are left out.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from page import write_tables

from fewstain.benchmark_settings import DONE, TITLES, MethodName

HEAD = (
    "| method | AP50 | AP | PQ | AJI | F1 | mIoU | count bias (95 % limits) | labels | seed | minutes | GB | device |"
)
SCORES = ("AP50", "AP", "PQ", "AJI", "F1", "mIoU")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cells", type=Path, nargs="+", help="JSON files in benchmarks/results")
    parser.add_argument("--page", type=Path, default=Path("docs/accuracy.md"))
    options = parser.parse_args()
    write_tables(options.page, options.cells, content, "cells")


def content(cells: Sequence[Mapping[str, Any]]) -> str:
    """One table a stain, the best method first."""
    done = sorted((cell for cell in cells if cell["status"] == DONE), key=lambda cell: -cell["scores"]["AP50"])
    parts = []
    for stain in sorted({cell["stain"] for cell in done}):
        own = [cell for cell in done if cell["stain"] == stain]
        scores = own[0]["scores"]
        parts += [f"### {stain}\n", f"{scores['n_images']} test images, {scores['n_objects']} objects.\n", HEAD]
        parts += ["| --- " * 13 + "|", *(row(cell) for cell in own), ""]
    return "\n".join(parts)


def row(cell: Mapping[str, Any]) -> str:
    """One line of a table."""
    scores = cell["scores"]
    low, high = scores["count_limits_95"]
    figures = " | ".join(f"{scores[name]:.3f}" for name in SCORES)
    minutes, memory = sum(cell["seconds"].values()) / 60, cell["peak_memory_bytes"] / 2**30
    bias = f"{scores['count_bias']:+.1f} ({low:+.1f} to {high:+.1f})"
    facts = f"{cell['n_labels']} | {cell['seed']} | {minutes:.1f} | {memory:.1f} | {cell['device']}"
    return f"| {title(cell)} | {figures} | {bias} | {facts} |"


def title(cell: Mapping[str, Any]) -> str:
    """Name a method, with what it chose and what it was allowed."""
    told = [f"{cell['notes']['method']} alone"] if cell["notes"].get("method") in ("ensemble", "segmenter") else []
    steps, seconds = cell["budget"]["steps"], cell["budget"]["seconds"]
    told += [f"{steps} steps"] if steps else []
    told += [f"{seconds / 60:.0f} minutes of training"] if seconds and not steps else []
    return ", ".join([TITLES[MethodName(cell["method"])], *told])


if __name__ == "__main__":
    main()
