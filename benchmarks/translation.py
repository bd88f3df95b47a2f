"""How near a translation comes to the truth, beside the best that a lookup table can do.

    python benchmarks/translation.py TRANSLATION_DIR DATASET_DIR [--images DIR] [--docs docs/diffusion.md]

TRANSLATION_DIR is what `fewstain train-translation DATASET_DIR --from grey` made. Scored are the data set's test
images, or those of `--images`: what a translation is tuned on must be another folder than what it is reported on.
Prints JSON, and writes the tables of the page `--docs`.

PSNR is in the files' own intensities, rounded: the mean over images, and that of the squared error of all pixels. MMD²
compares crops with the true crops in the same places, in the features of `fewstain.evaluate.realism`.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate.state import PartialState
from numpy.typing import NDArray
from page import replace_tables

from fewstain.dataset import Dataset, list_files, open_dataset
from fewstain.diffusion.translation.painting import source_of, translate
from fewstain.diffusion.translation.record import read_translation, scales
from fewstain.diffusion.translation.sources import GREY, find_pairs
from fewstain.diffusion.translation.table import apply_table, fit_table
from fewstain.evaluate.realism import realism
from fewstain.storage import sha256_file

CROP = 64
NAMES = {
    "table": "one table, fitted on the pool",
    "oracle_table": "one table, fitted on the scored images themselves",
    "alike": "a table for each image, of pool images that look like it",
    "sample": "one sample",
    "mean": "mean of the samples",
}


def decibels(squared_error: NDArray, highest: float) -> float:
    """PSNR of a mean squared error, or the mean PSNR of several."""
    return float(np.mean(10 * np.log10(highest**2 / squared_error)))


def crops(images: list[NDArray]) -> torch.Tensor:
    """Cut (H, W, C) uint8 images into (n, C, CROP, CROP) in [-1, 1], as many as there is room for."""
    cut = [
        image[y : y + CROP, x : x + CROP]
        for image in images
        for y in range(0, image.shape[0] - CROP + 1, CROP)
        for x in range(0, image.shape[1] - CROP + 1, CROP)
    ]
    return torch.from_numpy(np.stack(cut)).permute(0, 3, 1, 2).float() / 127.5 - 1


def score(painted: list[NDArray], truth: list[NDArray]) -> dict[str, float]:
    """Compare painted images with true ones, (H, W, C) uint8."""
    errors = np.array([np.square(a.astype(float) - b).mean() for a, b in zip(painted, truth, strict=True)])
    return {
        "psnr": round(decibels(errors, 255), 2),
        "psnr_of_all_pixels": round(decibels(errors.mean(), 255), 2),
        "mmd": round(realism(crops(painted), crops(truth)).mmd, 5),
    }


def run(options: argparse.Namespace) -> dict[str, Any]:
    translator, residual, record = read_translation(options.translation)
    translator.to(PartialState().device)
    source_scale, target_scale = scales(record)
    if record.source != GREY or target_scale.dtype != "uint8":
        raise SystemExit(f"{options.translation}: this script scores translations from grey to uint8 only")
    dataset = open_dataset(options.dataset)
    held_out = list_files(options.images) if options.images else [each.image for each in dataset.test]
    pairs = [pair.read()[1] for pair in find_pairs(Dataset(options.dataset, tuple(held_out), (), ()), GREY)]
    sources = [source_of(truth, "image", GREY, source_scale) for truth in pairs]
    oracle = fit_table(zip(sources, map(target_scale.apply, pairs), strict=True))

    def looked_up(table: NDArray) -> Callable[[NDArray], NDArray]:
        return lambda source: target_scale.restore(apply_table(table, source))

    start = time.perf_counter()
    painted: dict[str, list[NDArray]] = {name: [] for name in NAMES}
    for source in sources:
        samples = translate(
            translator, residual, source, samples=options.samples, steps=options.steps, seed=options.seed
        )
        painted["sample"].append(target_scale.restore(samples[0]))
        painted["mean"].append(target_scale.restore(samples.mean(axis=0)))
        painted["table"].append(looked_up(residual.tables.shared())(source))
        painted["alike"].append(looked_up(residual.tables.table_for(source))(source))
        painted["oracle_table"].append(looked_up(oracle)(source))
    return {
        "images": len(pairs),
        "pool": len(record.pool),
        "samples": options.samples,
        "steps": options.steps,
        "seed": options.seed,
        "training_steps": record.steps,
        "training_seconds": round(record.wall_seconds),
        "settings": record.settings,
        "seconds": round(time.perf_counter() - start),
        "device": record.device,
        "weights_sha256": sha256_file(options.translation / "unet" / "diffusion_pytorch_model.safetensors"),
        "scores": {name: score(images, pairs) for name, images in painted.items()},
    }


def tables(result: dict[str, Any]) -> str:
    """Make the page's table of a result."""
    lines = ["| grey to RGB by | PSNR, dB | of all pixels, dB | MMD² |", "|---|---|---|---|"]
    for name, title in NAMES.items():
        row = result["scores"][name]
        title = title.replace("the samples", f"{result['samples']} samples")
        lines.append(f"| {title} | {row['psnr']:.2f} | {row['psnr_of_all_pixels']:.2f} | {row['mmd']:.4f} |")
    lines += [
        "",
        f"{result['images']} images of histology that no training saw; trained on {result['pool']} others, "
        f"{result['training_steps']} steps, {result['steps']} evaluations a sample; one seed.",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("translation", type=Path, help="a folder of train-translation --from grey")
    parser.add_argument("dataset", type=Path, help="the data set that it was trained on")
    parser.add_argument("--images", type=Path, help="score these images instead of the test images")
    parser.add_argument("--samples", type=int, default=16)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--docs", type=Path, help="page whose translation tables to write")
    options = parser.parse_args()
    result = run(options)
    print(json.dumps(result, indent=2))
    if options.docs:
        page = options.docs.read_text(encoding="utf-8")
        options.docs.write_text(replace_tables(page, tables(result), "translation"), encoding="utf-8")


if __name__ == "__main__":
    main()
