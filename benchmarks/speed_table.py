"""Write the tables of docs/speed.md from what the other benchmarks printed.

    python benchmarks/speed_table.py RESULT.json… [--page docs/speed.md]

Results may be of pixel_fit.py, diffusion.py and large_image.py, several of each; which is which, their keys tell. What
stands between the page's two markers is replaced.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from page import replace_tables

NOT_MEASURED = "Not measured yet."
Result = dict[str, Any]


def main() -> None:
    parser = argparse.ArgumentParser(description="Tables of docs/speed.md from results of the benchmarks.")
    parser.add_argument("results", type=Path, nargs="*", help="JSON files")
    parser.add_argument("--page", type=Path, default=Path("docs/speed.md"))
    options = parser.parse_args()
    results = [json.loads(path.read_text(encoding="utf-8")) for path in options.results]
    page = options.page.read_text(encoding="utf-8")
    options.page.write_text(replace_tables(page, tables(results), "benchmark"), encoding="utf-8")


def tables(results: list[Result]) -> str:
    """One section for each benchmark; those without a result say so."""
    parts = []
    for heading, key, text in SECTIONS:
        found = [text(result) for result in results if key in result]
        parts.append(f"### {heading}\n\n" + ("\n\n".join(found) or NOT_MEASURED))
    return "\n\n".join(parts)


def pixel_fit(result: Result) -> str:
    rows = [
        ("", "published", "ours", "ratio"),
        (
            "seconds to fit and predict",
            f"{result['seconds_published']:.0f}",
            f"{result['seconds_ours']:.0f}",
            f"{result['speedup']:.1f}",
        ),
        (
            "extra memory, GB",
            gigabytes(result["extra_bytes_published"]),
            gigabytes(result["extra_bytes_ours"]),
            f"{result['memory_ratio']:.1f}",
        ),
        (
            f"AP50 with {result['n_published']} labeled images",
            f"{result['ap50_published']:.3f}",
            f"{result['ap50_ours']:.3f}",
            "",
        ),
    ]
    extrapolated = f" Extrapolated: {result['how']}." if result["extrapolated"] else ""
    about = (
        f"{result['data']}, {result['images']} labeled images of {result['side']}², preset {result['preset']}, "
        f"{result['threads']} threads.{extrapolated}"
    )
    return f"{about}\n\n{table(rows)}\n\n    {result['command']}"


def diffusion(result: Result) -> str:
    rows = [
        ("Mpixel/s", "bare loop", "ours", "fraction"),
        *(
            (
                name,
                f"{result[f'bare_{name}_mpixel_per_s']:.3f}",
                f"{result[f'{name}_mpixel_per_s']:.3f}",
                f"{result[f'{name}_fraction']:.2f}",
            )
            for name in ("training", "extraction")
        ),
    ]
    about = f"{result['device']}, {result['threads']} threads, mixed precision: {result['precision']}."
    return f"{about}\n\n{table(rows)}"


def large_image(result: Result) -> str:
    rows = [
        ("side, pixels", "peak memory, GB", "minutes", "objects", "preset", "device"),
        (
            str(result["side"]),
            gigabytes(result["peak_rss_bytes"]),
            f"{result['seconds'] / 60:.1f}",
            str(result["n_objects"]),
            result["preset"],
            result["device"],
        ),
    ]
    return table(rows)


def table(rows: list[tuple[str, ...]]) -> str:
    """Markdown table; the first row is its heading."""
    lines = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([lines[0], "| " + " | ".join("---" for _ in rows[0]) + " |", *lines[1:]])


def gigabytes(count: int) -> str:
    return f"{count / 1e9:.2f}"


SECTIONS: tuple[tuple[str, str, Callable[[Result], str]], ...] = (
    ("Fitting pixels beside the published protocol", "memory_ratio", pixel_fit),
    ("The denoiser beside a bare PyTorch loop", "training_fraction", diffusion),
    ("One huge image", "peak_rss_bytes", large_image),
)


if __name__ == "__main__":
    main()
