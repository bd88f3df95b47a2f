"""What a segmenter gains by synthetic pairs and by the denoiser's weights; prints JSON.

    python benchmarks/segmenters.py RESULTS_DIR --stain-dir DIR/histology --out OUT_DIR
        [--pairs PAIRS_DIR --name "layout first"] [--network unet] [--labels 24] [--seed 0]

Trains one segmenter on the windows that RESULTS_DIR was fitted to, with diffusion/ and pixels/ of that folder, and
scores it on the stain's test/: alone, and with the ensemble. Its decoder is chosen on windows that it has not seen.
OUT_DIR gets the segmenter, its training's state, by which a stopped call goes on, and one row for
`benchmarks/pairs.py --segmenter`. Speed is that of the maps of all test images, of one process, without decoding.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

import fewstain
from fewstain.benchmark.trial import build_dataset
from fewstain.dataset import Dataset, open_dataset
from fewstain.evaluate.scores import ScoreSum
from fewstain.images.read import read_image, read_labels
from fewstain.pairs.method import Method
from fewstain.pairs.segmenter_fit import train_segmenter
from fewstain.pixels.model import Model
from fewstain.settings import SegmenterNetwork, SegmenterSettings
from fewstain.storage import read_json, write_json

ROW_FILE = "row.json"
STARTS = {
    SegmenterNetwork.unet: "a U-Net's random weights",
    SegmenterNetwork.denoiser: "the denoiser",
    SegmenterNetwork.untrained: "random weights",
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder with diffusion/ and pixels/")
    parser.add_argument("--stain-dir", type=Path, required=True, help="folder of the stain, see docs/benchmark.md")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labels", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--pairs", type=Path, action="append", default=[], help="folder of synthetic pairs to learn from; repeatable"
    )
    parser.add_argument("--name", default="pairs", help="what the table calls these pairs")
    parser.add_argument(
        "--network", type=SegmenterNetwork, choices=list(SegmenterNetwork), default=SegmenterNetwork.denoiser
    )
    parser.add_argument("--steps", type=int, default=SegmenterSettings().steps)
    options = parser.parse_args(arguments)
    row_file = options.out / ROW_FILE
    if not row_file.is_file():
        with tempfile.TemporaryDirectory() as place:
            root = build_dataset(options.stain_dir, Path(place) / "dataset", options.labels, options.seed)
            write_json(row_file, run(options, open_dataset(root)))
    print(json.dumps(read_json(row_file), indent=2))


def run(options: argparse.Namespace, dataset: Dataset) -> dict[str, Any]:
    """Train a segmenter, and score it on the test images."""
    settings = SegmenterSettings(network=options.network, steps=options.steps)
    options.out.mkdir(parents=True, exist_ok=True)
    for part in ("diffusion", "pixels"):
        link = options.out / part
        if not link.is_symlink():
            link.symlink_to((options.results / part).resolve(), target_is_directory=True)
    start = time.monotonic()
    record = train_segmenter(
        options.out,
        dataset,
        options.out / "segmenter",
        options.out / "state",
        settings,
        pairs=options.pairs,
        seed=options.seed,
    )
    learned = ["labels"] + [options.name] * bool(options.pairs)
    row: dict[str, Any] = {
        "stain": options.stain_dir.name,
        "pairs": " + ".join(learned),
        "start": STARTS[options.network],
        "labels": options.labels,
        "seed": options.seed,
        "steps": settings.steps,
        "n_pairs": record.n_pairs,
        "out_of_fold": {str(method): scores["AP50"] for method, scores in record.out_of_fold.items()},
        "seconds": round(time.monotonic() - start),
        "threads": torch.get_num_threads(),
        "megapixels_per_second": {
            method.value: round(speed(fewstain.load(options.out, method=method), dataset), 3)
            for method in (Method.ensemble, Method.segmenter)
        },
    }
    for method, prefix in ((Method.segmenter, ""), (Method.both, "both_")):
        scores = score(fewstain.load(options.out, method=method), dataset)
        row |= {prefix + name: scores[name] for name in ("AP50", "AP", "PQ")}
    return row


def score(model: Model, dataset: Dataset) -> dict[str, Any]:
    """Score a model on the labeled test images."""
    total = ScoreSum()
    for test in dataset.test:
        if test.labels is not None:
            total.add(read_labels(test.labels), model.segment(read_image(test.image).pixels).labels)
    return dict(total.scores())


def speed(model: Model, dataset: Dataset) -> float:
    """Millions of pixels of test images a second, whose maps it computes."""
    pixels, seconds = 0, 0.0
    for test in dataset.test:
        image = torch.from_numpy(model.record.normaliser.apply(_chosen(model, read_image(test.image).pixels)))[None]
        start = time.monotonic()
        model.predictor(image, (0, 0))
        seconds += time.monotonic() - start
        pixels += image.shape[-2] * image.shape[-1]
    return pixels / 1e6 / seconds


def _chosen(model: Model, pixels: np.ndarray) -> np.ndarray:
    return pixels[:, :, list(model.record.channels)]


if __name__ == "__main__":
    main()
