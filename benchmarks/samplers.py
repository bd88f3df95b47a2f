"""How good the images of each sampler are, against the network evaluations they take.

    python benchmarks/samplers.py DIFFUSION_DIR IMAGE_DIR --out DIR [--n 256] [--steps 5,10,20,50] [--reference 1000]
    python benchmarks/samplers.py DIFFUSION_DIR IMAGE_DIR --out DIR --page docs/diffusion.md

Paints n images with every method and number of evaluations, and with DDPM of as many steps as `--reference` says from
two seeds, or `--seeds`, and compares all with crops of the real images: Fréchet distance and MMD in the features of a
fixed random network, and pixel statistics (`fewstain.evaluate.realism`). Writes DIR/samplers.json after each
measurement, so that the same command goes on where it was stopped, and DIR/samplers.png; prints the JSON. With `--page`
the table goes into that page, and the plot into the folder figures beside it.

`within` names, for each distance, the method that comes within 5 % of the reference, mean of its seeds, with the
fewest evaluations, and `fewest` the one that does so in both the Fréchet distance and the pixel statistics. How far
the seeds lie apart is the noise of all these numbers. MMD does not take part: it is unbiased, and a share of a number
about 0 means nothing. `floor` is what n other real crops get. Try it with `--n 16 --reference 50 --steps 5,10`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from page import replace_tables
from torch import Tensor

from fewstain.diffusion.methods import METHODS
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.record import DenoiserRecord
from fewstain.diffusion.sampling import sample
from fewstain.evaluate.realism import realism
from fewstain.images.read import IMAGE_EXTENSIONS, extension
from fewstain.storage import read_json, sha256_file, write_json

WITHIN = 1.05
SEEDS = 2
REFERENCE = "ddpm"
DISTANCES = {
    "frechet": "Fréchet distance, random features",
    "mmd": "MMD², random features",
    "pixels": "pixel statistics",
}
FIGURE = "samplers.png"
COLOURS = dict(zip(METHODS, ("#222222", "#0077bb", "#33bbee", "#009988", "#ee7733", "#cc3311", "#999999"), strict=True))


def real_crops(folder: Path, diffusion: Path, record: DenoiserRecord, n: int, seed: int) -> Tensor:
    """Cut (n, C, S, S) crops of the training's size at random places, as many from each image, in random order."""
    side = int(record.settings["crop"])
    paths = [path for path in sorted(folder.iterdir()) if extension(path) in IMAGE_EXTENSIONS]
    random = np.random.default_rng(seed)
    turns = [paths[k] for k in random.permutation(len(paths))]
    crops: dict[int, Tensor] = {}
    for turn, path in enumerate(turns[:n]):
        planes = read_picture(diffusion, record, path).planes[0]
        for number in range(turn, n, len(turns)):
            y, x = (int(random.integers(0, extent - side + 1)) for extent in planes.shape[1:])
            crops[number] = planes[:, y : y + side, x : x + side]
    # not in turns: every second crop of two images would show one of them only
    return torch.stack([crops[number] for number in random.permutation(n).tolist()])


def measure(denoiser: Denoiser, real: Tensor, method: str, steps: int, seed: int) -> dict[str, Any]:
    """Paint as many images as there are real ones, and compare."""
    start = time.perf_counter()
    painted = sample(denoiser, len(real), tuple(real.shape[2:]), steps=steps, seed=seed, method=method)
    seconds = time.perf_counter() - start
    evaluations = METHODS[method].cost(denoiser.scheduler, steps)
    row = {"method": method, "steps": steps, "evaluations": evaluations, "seconds": round(seconds, 2)}
    return row | asdict(realism(painted, real))


def mean_reference(references: list[dict[str, Any]]) -> dict[str, float]:
    """Mean of each distance over the seeds of the reference."""
    return {name: float(np.mean([row[name] for row in references])) for name in DISTANCES}


def summary(rows: list[dict[str, Any]], references: list[dict[str, Any]]) -> dict[str, Any]:
    """Find the cheapest rows within 5 % of the reference."""
    reference = mean_reference(references)

    def cheapest(*names: str) -> dict[str, Any] | None:
        able = [row for row in rows if all(row[name] <= WITHIN * reference[name] for name in names)]
        best = min(able, key=lambda row: (row["evaluations"], row[names[0]]), default=None)
        return best and {name: best[name] for name in ("method", "steps", "evaluations")}

    return {"within": {name: cheapest(name) for name in ("frechet", "pixels")}, "fewest": cheapest("frechet", "pixels")}


def seeds_of(result: dict[str, Any]) -> str:
    """Count the seeds of the reference in words."""
    n = len(result["references"])
    return "one seed" if n == 1 else f"{n} seeds"


def table(result: dict[str, Any]) -> str:
    """Every row in Markdown, a line a method; Fréchet distance, pixel statistics and MMD² as one cell."""
    asked = sorted({row["steps"] for row in result["rows"]})
    found = {(row["method"], row["steps"]): row for row in result["rows"]}

    def cell(row: dict[str, Any] | None) -> str:
        return "–" if row is None else f"{row['frechet']:.1f} / {row['pixels']:.2f} / {row['mmd']:.2f}"

    reference = result["references"][0]
    seeds = " and ".join(cell(row) for row in result["references"])
    lines = [
        f"| n = {result['setting']['n']} | " + " | ".join(f"{steps} evaluations" for steps in asked) + " |",
        "| --- |" + " --- |" * len(asked),
    ]
    for method in METHODS:
        cells = [cell(found.get((method, steps))) for steps in asked]
        if any(each != "–" for each in cells):
            lines.append(f"| {method} | " + " | ".join(cells) + " |")
    trained = result["denoiser"]
    told = [
        f"A denoiser of {trained['pool']} images, {trained['steps']} steps of training, {trained['prediction']}; "
        f"{trained['crop']} x {trained['crop']} pixels painted.",
        "Fréchet distance / pixel statistics / MMD² of random features, all smaller where nearer to real images. "
        f"{reference['method']} of {reference['steps']} steps from {seeds_of(result)}: {seeds}; "
        f"other real crops: {cell(result['floor'])}.",
        verdict(result),
        f"![Quality against evaluations](figures/{FIGURE})",
    ]
    return "\n".join([*lines, "", "\n\n".join(told)])


def verdict(result: dict[str, Any]) -> str:
    """Put in words what `summary` found."""

    def named(found: dict[str, Any] | None) -> str:
        return f"{found['method']}, {found['evaluations']} evaluations" if found else "none"

    within = result["within"]
    reference = "it" if len(result["references"]) == 1 else "the mean of these"
    return (
        f"The cheapest within 5 % of {reference}: in Fréchet distance {named(within['frechet'])}; in pixel "
        f"statistics {named(within['pixels'])}; in both {named(result['fewest'])}."
    )


def plot(result: dict[str, Any], path: Path) -> None:
    """Draw each distance against evaluations, a line a method; the reference and what real images get as levels."""
    figure = Figure(figsize=(13, 4.2), dpi=110, layout="constrained")
    for axes, (name, title) in zip(figure.subplots(1, len(DISTANCES)), DISTANCES.items(), strict=True):
        for method in METHODS:
            rows = sorted(
                (row for row in result["rows"] if row["method"] == method), key=lambda row: row["evaluations"]
            )
            at, values = [row["evaluations"] for row in rows], [row[name] for row in rows]
            axes.plot(at, values, "o-", markersize=3, color=COLOURS[method], label=method)
        label = f"{REFERENCE}, {result['references'][0]['steps']} evaluations, {seeds_of(result)}"
        for number, row in enumerate(result["references"]):
            axes.axhline(row[name], color="black", linestyle="--", linewidth=1, label=None if number else label)
        axes.axhline(result["floor"][name], color="0.6", linestyle=":", linewidth=1, label="other real images")
        axes.set(xlabel="evaluations of the network", title=title, xscale="log")
        ticks = sorted({row["steps"] for row in result["rows"]})
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.minorticks_off()
        axes.set_yscale("symlog" if name == "mmd" else "log")
        if name == "mmd":  # unbiased, so it may be a little below 0, and never far
            axes.set_ylim(bottom=min(-1, *(row[name] for row in result["rows"])))
        axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize=8)
    figure.savefig(path)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Measure what is not measured yet, and keep it after each step."""
    denoiser, record = open_denoiser(options.diffusion)
    denoiser.to(memory_format=torch.channels_last)
    file = options.out / "samplers.json"
    setting = {
        "n": options.n,
        "seed": options.seed,
        "weights_sha256": sha256_file(options.diffusion / "unet" / "diffusion_pytorch_model.safetensors"),
        "images": str(options.images),
        "threads": torch.get_num_threads(),
        "device": denoiser.device.type,
    }
    crops = real_crops(options.images, options.diffusion, record, 2 * options.n, options.seed)
    real, others = crops[::2], crops[1::2]
    result: dict[str, Any] = {"setting": setting, "floor": asdict(realism(others, real)), "references": [], "rows": []}
    if file.is_file():
        before = read_json(file)
        if before["setting"] != setting:
            raise SystemExit(f"{file}: measured with {before['setting']}, not {setting}; choose another folder")
        result |= before
    result["denoiser"] = {key: record.settings[key] for key in ("steps", "prediction", "crop")} | {
        "pool": len(record.pool)
    }
    if any(row["steps"] != options.reference for row in result["references"]):
        result["references"] = []
    for method in options.methods:
        for steps in options.steps:
            done = any((row["method"], row["steps"]) == (method, steps) for row in result["rows"])
            if done or steps < METHODS[method].fewest:
                continue
            result["rows"].append(measure(denoiser, real, method, steps, options.seed))
            write_json(file, result)
    # the longest last: a run that is stopped has told something
    for seed in range(options.seed + len(result["references"]), options.seed + options.seeds):
        result["references"].append(measure(denoiser, real, REFERENCE, options.reference, seed))
        write_json(file, result)
    result |= summary(result["rows"], result["references"])
    write_json(file, result)
    plot(result, options.out / FIGURE)
    if options.page is not None:
        options.page.write_text(replace_tables(options.page.read_text("utf-8"), table(result), "samplers"), "utf-8")
        shutil.copyfile(options.out / FIGURE, options.page.parent / "figures" / FIGURE)
    return result


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("diffusion", type=Path, help="a trained denoiser's folder")
    parser.add_argument("images", type=Path, help="folder of real images of its kind")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results/samplers"))
    parser.add_argument("--n", type=int, default=256, help="images painted by each, and real ones to compare with")
    parser.add_argument(
        "--steps", type=numbers, default=[5, 10, 15, 20, 30, 50, 100], help="evaluations, as in 5,10,20"
    )
    parser.add_argument("--reference", type=int, default=1000, help="steps of the DDPM that others are held against")
    parser.add_argument("--methods", type=lambda text: text.split(","), default=list(METHODS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--seeds", type=int, default=SEEDS, help="times the reference is painted, each from another seed"
    )
    parser.add_argument("--page", type=Path, help="page that takes the table and the plot, docs/diffusion.md")
    print(json.dumps(run(parser.parse_args()), indent=2))


if __name__ == "__main__":
    main()
