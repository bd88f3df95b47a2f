"""How well images painted under a control follow their layouts, as the ensemble sees it.

    python benchmarks/control.py RESULTS_DIR DIFFUSION_DIR DATASET_DIR MASKS_DIR --out DIR [--docs docs/diffusion.md]

MASKS_DIR holds the ensemble's masks of pool images, as `fewstain segment RESULTS_DIR DATASET_DIR/images --out DIR`
writes them. Every `--holdout`-th of them is held out; a control of the denoiser in DIFFUSION_DIR is trained on the
others, into OUT/control. Then the layouts held out are painted, and the ensemble of RESULTS_DIR, which knows nothing of
the control, segments what was painted; its objects are scored against the layouts. The same command goes on where it
was stopped. Prints JSON, and writes the tables of the page `--docs` for this stain.

Scored beside it: images painted without the control, which can only agree with a layout by chance, and the real images
of the layouts, whose masks these are: what little they lose, they lose by being cut out of their images.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from page import replace_tables

import fewstain
from fewstain.dataset import Dataset, Window, open_dataset
from fewstain.diffusion.control.painting import file_pixels, paint_conditions
from fewstain.diffusion.control.record import open_control
from fewstain.diffusion.control.training import find_layouts, shown, train_control
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.sampling import sample
from fewstain.evaluate.realism import realism
from fewstain.evaluate.scores import ScoreSum
from fewstain.images.read import read_labels
from fewstain.layout import layout_planes
from fewstain.overrides import parse_set
from fewstain.settings import ControlSettings
from fewstain.validation import validate

SHOWN = 6  # layouts in the picture


def central(window: Window, side: int) -> tuple[NDArray, tuple[slice, slice]]:
    """Labels (side, side) of the middle of an image, and where they are in it."""
    labels = read_labels(window.labels)
    top, left = ((extent - side) // 2 for extent in labels.shape)
    if min(top, left) < 0:
        raise SystemExit(f"{window.labels}: smaller than {side} pixels; choose a smaller --side")
    place = slice(top, top + side), slice(left, left + side)
    return labels[place], place


def scored(model: Any, images: list[NDArray], layouts: list[NDArray]) -> dict[str, float]:
    """Segment images (H, W, C) and score the objects against layouts."""
    total = ScoreSum()
    for image, layout in zip(images, layouts, strict=True):
        total.add(layout, model.segment(image).labels)
    scores = total.scores()
    return {name: scores[name] for name in ("PQ", "AP50", "F1", "n_objects", "n_predicted")}


def held_out(windows: tuple[Window, ...], every: int) -> tuple[list[Window], list[Window]]:
    """Part windows into those to train on and every so-many-th, by name."""
    return [w for i, w in enumerate(windows) if i % every], list(windows[::every])


def run(options: argparse.Namespace) -> dict[str, Any]:
    settings = validate(
        ControlSettings, parse_set([f"control.{change}" for change in options.set]).get("control", {}), "--set"
    )
    dataset = open_dataset(options.dataset)
    train, test = held_out(find_layouts(dataset, options.masks), options.holdout)
    seen: Dataset = replace(dataset, images=tuple(window.image for window in train))
    start = time.perf_counter()
    train_control(
        options.diffusion, seen, options.out / "control", options.out / "state", settings, layouts=options.masks
    )
    trained = time.perf_counter() - start
    denoiser, base = open_denoiser(options.diffusion)
    control, record = open_control(options.out / "control", denoiser, options.diffusion)
    layouts, real, files = [], [], []
    for window in test[: options.n]:
        labels, (rows, columns) = central(window, options.side)
        picture = read_picture(options.diffusion, base, window.image)
        layouts.append(labels)
        real.append(picture.planes[0][:, rows, columns])
        files.append(picture.raw[rows, columns])
    conditions = torch.from_numpy(np.stack([layout_planes(labels) for labels in layouts]))
    size = (options.side, options.side)
    painted = paint_conditions(denoiser, control, conditions, steps=options.steps, seed=0, batch_size=4)
    free = sample(denoiser, len(layouts), size, steps=options.steps, seed=0, batch_size=4)
    rows = [shown(conditions, painted.shape[1]), painted, torch.stack(real)]
    write_mosaic(options.out / "painted.png", torch.cat([each[:SHOWN] for each in rows]), columns=len(rows[0][:SHOWN]))
    model = fewstain.load(options.results)
    as_files = {
        "painted": [file_pixels(image.numpy(), base) for image in painted],
        "without control": [file_pixels(image.numpy(), base) for image in free],
        "real": files,
    }
    return {
        "layouts": len(layouts),
        "trained_on": len(train),
        "side": options.side,
        "steps": options.steps,
        "training": {"steps": record.steps, "seconds": round(record.wall_seconds), "this_call": round(trained)},
        "base": {name: base.settings[name] for name in ("prediction", "betas", "steps", "channels", "unshuffle")},
        "scores": {name: scored(model, images, layouts) for name, images in as_files.items()},
        "realism": {
            name: vars(realism(images, torch.stack(real))) for name, images in (("painted", painted), ("free", free))
        },
    }


def tables(result: dict[str, Any]) -> str:
    """Make the page's table of a result."""
    lines = ["| segmented | PQ | AP50 | objects, of the layouts and found |", "|---|---|---|---|"]
    for name, row in result["scores"].items():
        numbers = " | ".join(f"{row[key]:.3f}" for key in ("PQ", "AP50"))
        lines.append(f"| {name} | {numbers} | {row['n_objects']}, {row['n_predicted']} |")
    base = result["base"]
    lines += [
        "",
        f"{result['layouts']} layouts of {result['side']} x {result['side']} pixels held out; control trained "
        f"{result['training']['steps']} steps on {result['trained_on']} images and the ensemble's masks of them, on a "
        f"denoiser of {base['steps']} steps ({base['prediction']}, {base['betas']}); {result['steps']} evaluations an "
        "image, one seed.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="results folder whose ensemble segments")
    parser.add_argument("diffusion", type=Path, help="folder of the denoiser to control")
    parser.add_argument("dataset", type=Path)
    parser.add_argument("masks", type=Path, help="folder of the ensemble's masks of the data set's images")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--holdout", type=int, default=5, help="every which of the masks is held out")
    parser.add_argument("-n", type=int, default=20, help="layouts to paint, at most")
    parser.add_argument("--side", type=int, default=256, help="of the layouts, cut from the middle of the masks")
    parser.add_argument("--steps", type=int, default=30, help="evaluations of the network for each image")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the control's training")
    parser.add_argument("--docs", type=Path, help="page whose tables to write")
    parser.add_argument("--stain", default="control", help="name of the tables there")
    options = parser.parse_args()
    result = run(options)
    print(json.dumps(result, indent=2))
    if options.docs:
        page = options.docs.read_text(encoding="utf-8")
        options.docs.write_text(replace_tables(page, tables(result), options.stain), encoding="utf-8")


if __name__ == "__main__":
    main()
