"""How good synthetic pairs are: their realism, the share kept, copies of training images, and what they take to make.

    python benchmarks/pairs.py DATASET_DIR PAIRS_DIR... --name histology --json OUT.json
    python benchmarks/pairs.py --page docs/pairs.md OUT.json... [--segmenter SEGMENTER.json...]

PAIRS_DIR is what `fewstain pairs` wrote. Realism compares the pairs kept with images that nothing was trained on, the
test images; beside it stands the same of real images of the pool, which is the best that can be expected. Both are
given as many crops of the same size, cut from the images' middles first.

The second form writes the page's tables. SEGMENTER.json is row.json of `benchmarks/segmenters.py`; where there is none,
the page says that what pairs are worth is not measured yet.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from page import replace_tables
from torch import Tensor

from fewstain.dataset import list_files, open_dataset
from fewstain.evaluate.realism import realism
from fewstain.images.normalise import Normaliser, fit_normaliser
from fewstain.images.read import are_rgb, read_image
from fewstain.pairs.batches import last_asked_for, seconds_taken
from fewstain.pairs.run import default_state

LEAST = 2  # images that a distance of sets can be told of


def crops(paths: list[Path], side: int, n: int, normaliser: Normaliser) -> Tensor:
    """N crops (C, side, side) in [-1, 1], one after the other of each image, on a grid; fewer where there are fewer."""
    cut: list[list[np.ndarray]] = []
    for path in paths:
        planes = normaliser.apply(read_image(path).pixels)
        rows, columns = (max(0, extent - side) for extent in planes.shape[1:])
        corners = [
            (y, x)
            for y in range(rows % side // 2, rows + 1, side)
            for x in range(columns % side // 2, columns + 1, side)
        ]
        own = [planes[:, y : y + side, x : x + side] for y, x in corners]
        cut.append([each for each in own if each.shape[1:] == (side, side)])
    found = [own[turn] for turn in range(max(map(len, cut), default=0)) for own in cut if turn < len(own)]
    return torch.from_numpy(np.stack(found[:n])) if found else torch.zeros(0, 1, side, side)


def measure(dataset_dir: Path, pairs_dir: Path) -> dict[str, Any]:
    """Measure one folder of pairs."""
    dataset, record = open_dataset(dataset_dir), json.loads((pairs_dir / "pairs.json").read_text())
    table = pd.read_csv(pairs_dir / "pairs.csv", keep_default_na=False)
    normaliser = fit_normaliser((read_image(path).pixels for path in dataset.images), rgb=are_rgb(dataset.images))
    files = list_files(pairs_dir / "images")
    side = record["made"]["side"]
    painted = crops(files, side, len(files), normaliser)
    real = crops(list(dataset.images), side, len(painted), normaliser)
    held_out = crops([each.image for each in dataset.test], side, 10**9, normaliser)
    result: dict[str, Any] = {
        "kind": record["made"]["kind"],
        "side": side,
        "generated": record["generated"],
        "kept": record["kept"],
        "dropped": record["dropped"],
        "memorised": record["memorised"],
        "held_out": len(held_out),
        "compared": len(painted),
        "agreement_limit": record["limits"]["agreement"],
        "seconds": seconds_taken(last_asked_for(default_state(pairs_dir))),
    }
    agreement = pd.to_numeric(table["agreement"], errors="coerce")
    result["agreement_median"] = float(agreement.median()) if agreement.notna().any() else None
    if min(len(painted), len(real), len(held_out)) >= LEAST:
        result["realism"] = {
            "pairs": vars(realism(painted, held_out)),
            "real": vars(realism(real, held_out)),
        }
    return result


def tables(results: list[dict[str, Any]], segmenter: list[dict[str, Any]]) -> str:
    """Make the page's tables."""
    lines = [
        "| stain | first | made | kept | memorised | median PQ, least allowed | pairs a minute |",
        "|---|---|---|---|---|---|---|",
    ]
    for each in results:
        rate = f"{60 * each['generated'] / each['seconds']:.1f}" if each["seconds"] else ""
        median, limit = (
            f"{value:.2f}" if value is not None else "" for value in (each["agreement_median"], each["agreement_limit"])
        )
        told = f"{median}, {limit}" if each["kind"] != "image" else ""  # of these the model's own decoders agree
        lines.append(
            f"| {each['name']} | {each['kind']} | {each['generated']} | {each['kept']} | {each['memorised']} | "
            f"{told} | {rate} |"
        )
    lines += [
        "",
        "Distances to held-out real images; beside them those of as many crops of the pool:",
        "",
        "| stain | first | crops | Fréchet | MMD | grey levels |",
        "|---|---|---|---|---|---|",
    ]
    for each in results:
        for name, told in (("pairs", each["kind"]), ("real", "real images")):
            if "realism" in each:
                found = each["realism"][name]
                lines.append(
                    f"| {each['name']} | {told} | {each['compared']} | {found['frechet']:.1f} | {found['mmd']:.2f} | "
                    f"{found['pixels']:.2f} |"
                )
    lines += ["", *segmenter_lines(segmenter)]
    return "\n".join(lines)


def segmenter_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Make the table of segmenters trained with and without pairs."""
    if not rows:
        return ["What pairs are worth to a segmenter is not measured yet."]
    columns = ("AP50", "PQ", "both_AP50", "both_PQ")
    groups = pd.DataFrame(rows).groupby(["stain", "pairs", "start", "labels", "steps"], sort=False)
    lines = [
        "Segmenters trained alike but for what is told, scored on test/ alone and with the ensemble; means over seeds:",
        "",
        "| stain | learned from | begun with | AP50 | PQ | AP50, with the ensemble | PQ, with the ensemble | labels "
        "| steps | seeds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for (stain, learned, start, labels, steps), group in groups:
        scores = " | ".join(f"{value:.3f}" for value in group[list(columns)].mean())
        seeds = ", ".join(map(str, sorted(group["seed"])))
        lines.append(f"| {stain} | {learned} | {start} | {scores} | {labels} | {steps} | {seeds} |")
    return [*lines, "", *speed_lines(rows)]


def speed_lines(rows: list[dict[str, Any]]) -> list[str]:
    """Say how fast the maps of images are made, of every stain."""
    lines = []
    for stain in dict.fromkeys(row["stain"] for row in rows):
        # other work beside a run only slows it down
        fastest = max((row for row in rows if row["stain"] == stain), key=megapixels_per_second)
        rate, threads = fastest["megapixels_per_second"], fastest["threads"]
        lines.append(
            f"Maps of {stain}: {rate['segmenter']:.2f} Mpixel/s by the segmenter, {rate['ensemble']:.2f} by the "
            f"ensemble, on {threads} {'thread' if threads == 1 else 'threads'} of a CPU."
        )
    return lines


def megapixels_per_second(row: dict[str, Any]) -> float:
    """Give the segmenter's speed."""
    return float(row["megapixels_per_second"]["segmenter"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("given", type=Path, nargs="+", help="dataset and pairs folders, or with --page JSON files")
    parser.add_argument("--name", help="of the stain")
    parser.add_argument("--json", type=Path, help="file for what was measured")
    parser.add_argument("--page", type=Path, help="page whose tables to write")
    parser.add_argument("--segmenter", type=Path, nargs="*", default=[], help="JSON of segmenters' scores")
    options = parser.parse_args()
    if options.page:
        results = [row for path in options.given for row in json.loads(path.read_text())]
        segmenter = [json.loads(path.read_text()) for path in options.segmenter]
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(replace_tables(page, tables(results, segmenter), "pairs"), encoding="utf-8")
        return
    dataset_dir, *pairs_dirs = options.given
    results = [{"name": options.name or dataset_dir.name, **measure(dataset_dir, each)} for each in pairs_dirs]
    text = json.dumps(results, indent=2)
    print(text)
    if options.json:
        options.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
