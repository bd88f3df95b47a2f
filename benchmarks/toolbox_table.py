"""Write the measurements of docs/diffusion.md from the JSON of benchmarks/toolbox.py.

    python benchmarks/toolbox_table.py RESULT.json [--page docs/diffusion.md]

What stands between the page's two markers is replaced.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from page import replace_tables


def main() -> None:
    parser = argparse.ArgumentParser(description="Measurements of docs/diffusion.md from a result of toolbox.py.")
    parser.add_argument("result", type=Path, help="toolbox.json")
    parser.add_argument("--page", type=Path, default=Path("docs/diffusion.md"))
    options = parser.parse_args()
    result = json.loads(options.result.read_text(encoding="utf-8"))
    text = replace_tables(options.page.read_text(encoding="utf-8"), content(result), "toolbox")
    options.page.write_text(text, encoding="utf-8")


def content(result: dict[str, Any]) -> str:
    """All parts in Markdown."""
    setting = result["setting"]
    others = told(result["floor"])
    parts = [
        f"By the denoiser of the pictures; {setting['n']} images each, one seed. Distances are those of "
        "`fewstain.evaluate.realism`.",
        f"**Few steps.** DDIM's images against those of {setting['many']} steps from the same noise: root mean square "
        "of the difference as a share of their standard deviation:",
        few_steps(result["steps"]),
        "**Inversion.** Real crops, inverted and painted again:",
        inversions(result["inversion"]),
        f"**Edits.** Flat ellipses on a flat ground, ddpm, {setting['edit_steps']} evaluations; other real crops have "
        f"{others}:",
        edits(result["edits"]),
        f"**Grids of noise levels.** Fréchet distance; other real crops have {result['floor']['frechet']:.0f}:",
        grids(result["grids"]),
        "**Size of adapters.** Rank 4, preset cpu's network for RGB, with attention at these levels:",
        shares(result["shares"]),
    ]
    if "adapters" in result:  # the longest part, measured last
        parts += [
            f"**Adapters.** Rank 4, {setting['adapt_steps']} steps; distance of samples to crops of the other stain, "
            f"where other real crops have {told(result['adapters']['floor'])}:",
            adapters(result["adapters"]),
        ]
    return "\n\n".join(parts)


def told(floor: dict[str, float]) -> str:
    return f"a Fréchet distance of {floor['frechet']:.0f} and {floor['pixels']:.2f} in pixel statistics"


def few_steps(rows: list[dict[str, Any]]) -> str:
    return markdown(("steps", "apart"), [(row["steps"], f"{row['apart']:.2f}") for row in rows])


def inversions(rows: list[dict[str, Any]]) -> str:
    lines = [(row["steps"], row["rounds"], f"{row['psnr']:.1f} dB", f"{row['lowest']:.1f} dB") for row in rows]
    return markdown(("steps", "rounds", "PSNR, mean", "lowest"), lines)


def edits(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        faithful = "∞" if row["faithful"] is None else f"{row['faithful']:.1f} dB"
        lines.append((row["strength"], faithful, f"{row['frechet']:.0f}", f"{row['pixels']:.2f}"))
    return markdown(("strength", "PSNR to the painting", "Fréchet distance to real", "pixel statistics"), lines)


def grids(rows: list[dict[str, Any]]) -> str:
    lines = [(row["method"], row["evaluations"], f"{row['uniform']:.0f}", f"{row['karras']:.0f}") for row in rows]
    return markdown(("method", "evaluations", "timesteps evenly apart", "Karras et al., eq. 5"), lines)


def shares(rows: list[dict[str, Any]]) -> str:
    lines = [
        (", ".join(map(str, row["attention"])) or "none", row["target"], f"{row['percent']:.1f} %") for row in rows
    ]
    return markdown(("attention", "target", "parameters, of the base's"), lines)


def adapters(result: dict[str, Any]) -> str:
    named = [("not adapted", result["before"]), *((row["rate"], row) for row in result["after"])]
    lines = [(name, f"{row['frechet']:.0f}", f"{row['pixels']:.2f}", f"{row['mmd']:.3g}") for name, row in named]
    heading = ("learning rate", "Fréchet distance", "pixel statistics", "MMD²")
    return markdown(heading, lines)


def markdown(heading: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """One table."""
    lines = [heading, ("---",) * len(heading), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


if __name__ == "__main__":
    main()
