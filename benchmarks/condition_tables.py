"""The tables of docs/diffusion.md about conditions, from what conditions.py measured."""

from __future__ import annotations

from typing import Any

from condition_measures import SHOWN


def tables(result: dict[str, Any]) -> str:
    """Markdown of what was measured."""
    lines: list[str] = []
    if "words" in result:
        lines += words_table(result["words"])
        lines.append("")
    if "few_shot" in result:
        few = result["few_shot"]
        lines += [
            f"Few-shot: {training_line(few['training'])}, on three quarters of the images of "
            f"{', '.join(few['stains'])}. Share of images never trained on whose own windows are nearer (MMD) to the "
            f"{few['n_like']} samples after {SHOWN} other windows of it than those of another image are, one at random "
            "and every other in turn; the others are of all stains, or of the same. No image of "
            f"{', '.join(few['held_out'])} was trained on:",
            "",
            "| stain | images | guidance | others | nearer than one drawn | than each | MMD to its own | to others |",
            "| --- " * 8 + "|",
        ]
        for row in sorted(few["rows"], key=lambda row: (row["among"], order_of(few, row["stain"]))):
            scale = row["guidance_scale"]
            shown = "the shown windows themselves" if scale == "real" else f"{scale:g}"
            lines.append(
                f"| {row['stain']} | {row['images']} | {shown} | of {row['among']} | {percent(row['nearer'])} "
                f"| {percent(row['nearer_all'])} | {row['mmd_own']:.2f} | {row['mmd_other']:.2f} |"
            )
    return "\n".join(lines)


def words_table(words: dict[str, Any]) -> list[str]:
    """Write the lines of what words bring about; beside each share that of the classifier which sees no grain."""
    scales = scales_of(words["rows"])
    lines = [
        f"Words: {training_line(words['training'])}, {words['n']} samples for each cell, {words['sample_steps']} "
        "steps of ddim. Share of samples that a classifier of pixel statistics takes for the stain asked for / "
        f"the same with all images made {words['coarse']} times smaller, which leaves colour and density and no grain:",
        "",
        "| words | real crops | without words | " + " | ".join(f"guidance {scale:g}" for scale in scales) + " |",
        "| --- " * (3 + len(scales)) + "|",
    ]
    for stain in words["real"]:
        rows = [row for row in words["rows"] if row["stain"] == stain]
        pairs = [(words[key][stain], words[f"{key}_coarse"][stain]) for key in ("real", "without_words")]
        pairs += [(row["told"], row["told_coarse"]) for row in rows]
        cells = [f"{percent(fine)} / {percent(coarse)}" for fine, coarse in pairs]
        lines.append(f"| {rows[0]['words']} | " + " | ".join(cells) + " |")
    return lines


def scales_of(rows: list[dict[str, Any]]) -> list[float]:
    return list(dict.fromkeys(row["guidance_scale"] for row in rows))


def order_of(few: dict[str, Any], stain: str) -> int:
    return [*few["stains"], *few["held_out"]].index(stain)


def percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def training_line(facts: dict[str, Any]) -> str:
    return f"{facts['parameters'] / 1e6:.1f} M parameters, {facts['steps']} steps, seed {facts['seed']}"
