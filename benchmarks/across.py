"""How well a stain is segmented without one label of it, by the labels of another stain; prints JSON.

    python benchmarks/across.py DIFFUSION SOURCE_DIFFUSION --stain-dir DIR/histology --source-dir DIR/fluorescence
        --out OUT_DIR [--labels 24] [--size 1.2] [--strength 0.4] [--page docs/pairs.md]

The labeled windows of the source stain are repainted in the other stain (`fewstain pairs --kind edit`), an ensemble is
fitted to what is kept, and scored on the other stain's test/. Beside it stands the ensemble that is fitted to the
source's windows, applied to the same test images as it is: grey, for the source is grey, and grey and inverted, for
what is bright in one stain may be dark in the other. `--size` is how much larger objects are in the other stain, as a
look at both tells. No label of the other stain is read but those of test/, and these only to score.

OUT_DIR keeps all that was made, and the same command goes on from it.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from page import replace_tables

import fewstain
from fewstain.benchmark.trial import build_dataset
from fewstain.dataset import Dataset, open_dataset
from fewstain.evaluate.scores import ScoreSum
from fewstain.images.read import read_image, read_labels
from fewstain.pair_settings import PairKind
from fewstain.pairs.arrange import Wish
from fewstain.pairs.gather import Gathered
from fewstain.pairs.limits import Asked
from fewstain.pairs.making import Request
from fewstain.pairs.run import make_pairs
from fewstain.pixels.fit import fit_pixels
from fewstain.pixels.model import Model
from fewstain.settings import PixelSettings
from fewstain.storage import read_json, write_json

Change = Callable[[NDArray], NDArray]


def unlabeled(stain_dir: Path, out: Path) -> Dataset:
    """Lay out a stain's images and test images, without a label of the former."""
    if not out.is_dir():
        build_dataset(stain_dir, out, 1, 0)
        shutil.rmtree(out / "labels")
    return open_dataset(out)


def fitted(results: Path, dataset: Dataset, diffusion: Path, seed: int) -> Path:
    """Fit an ensemble to a dataset, in a results folder of its own."""
    results.mkdir(parents=True, exist_ok=True)
    link = results / "diffusion"
    if not link.is_symlink():
        link.symlink_to(diffusion.resolve(), target_is_directory=True)
    if not (results / "pixels").is_dir():
        fit_pixels(dataset, link, results / "pixels", PixelSettings(), seed=seed)
    return results


def score(model: Model, dataset: Dataset, change: Change) -> dict[str, float]:
    """Score a model on the test images, each changed first."""
    total, found, true = ScoreSum(), 0, 0
    for test in dataset.test:
        if test.labels is not None:
            labels = model.segment(change(read_image(test.image).pixels)).labels
            truth = read_labels(test.labels)
            total.add(truth, labels)
            found, true = found + len(np.unique(labels)) - 1, true + len(np.unique(truth)) - 1
    scores = total.scores()
    return {name: scores[name] for name in ("AP50", "PQ")} | {"objects": found, "true objects": true}


def grey(pixels: NDArray) -> NDArray:
    """(H, W, C) -> (H, W, 1) mean of the channels, of the same dtype."""
    return pixels.mean(axis=-1, keepdims=True).astype(pixels.dtype)


def inverted(pixels: NDArray) -> NDArray:
    """Turn bright to dark."""
    levels = grey(pixels)
    return levels.max() - levels


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Make the pairs, fit both ensembles, and score them."""
    out = options.out
    target = unlabeled(options.stain_dir, out / "data")
    source_data = out / "source-data"
    if not source_data.is_dir():
        build_dataset(options.source_dir, source_data, options.labels, options.seed)
    source = fitted(out / "source", open_dataset(source_data), options.source_diffusion, options.seed)
    results = out / "results"
    results.mkdir(parents=True, exist_ok=True)
    if not (results / "diffusion").is_symlink():
        (results / "diffusion").symlink_to(options.diffusion.resolve(), target_is_directory=True)
    if not (out / "pairs").is_dir():
        request = Request(
            kind=PairKind.edit,
            n=options.n,
            seed=options.seed,
            wish=Wish(size=options.size),
            source=source_data,
            strength=options.strength,
        )
        made = make_pairs(results, out / "data", out / "pairs", request, Asked())
        assert isinstance(made, Gathered)
    carried = fitted(out / "carried", open_dataset(out / "pairs"), options.diffusion, options.seed)
    told = read_json(out / "pairs" / "pairs.json")
    as_it_is = fewstain.load(source)
    return {
        "stain": options.stain_dir.name,
        "source": options.source_dir.name,
        "labels": options.labels,
        "seed": options.seed,
        "size": options.size,
        "strength": options.strength,
        "pairs made": told["generated"],
        "pairs kept": told["kept"],
        "as it is, grey": score(as_it_is, target, grey),
        "as it is, grey and inverted": score(as_it_is, target, inverted),
        "fitted to repainted windows": score(fewstain.load(carried), target, lambda pixels: pixels),
    }


def table(result: dict[str, Any]) -> str:
    """One line a way of segmenting."""
    lines = [
        f"{result['stain']} without one label of it, by {result['labels']} labeled windows of {result['source']}, "
        f"objects enlarged {result['size']:g} times, SDEdit of strength {result['strength']:g}, "
        f"{result['pairs kept']} of {result['pairs made']} pairs kept, seed {result['seed']}; on test/:",
        "",
        "| ensemble of the other stain | AP50 | PQ | objects found, true |",
        "|---|---|---|---|",
    ]
    for name, found in result.items():
        if isinstance(found, dict):
            lines.append(
                f"| {name} | {found['AP50']:.3f} | {found['PQ']:.3f} | {found['objects']}, {found['true objects']} |"
            )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("diffusion", type=Path, help="denoiser of the stain without labels")
    parser.add_argument("source_diffusion", type=Path, help="denoiser of the stain whose labels are carried over")
    parser.add_argument("--stain-dir", type=Path, required=True, help="folder of the stain, see docs/benchmark.md")
    parser.add_argument("--source-dir", type=Path, required=True, help="folder of the stain with labels")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--labels", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("-n", type=int, default=64, help="pairs to make")
    parser.add_argument("--size", type=float, default=1.0)
    parser.add_argument("--strength", type=float, default=0.4)
    parser.add_argument("--page", type=Path, help="page whose table to write, docs/pairs.md")
    options = parser.parse_args()
    row = options.out / "across.json"
    if not row.is_file():
        write_json(row, run(options))
    result = read_json(row)
    print(json.dumps(result, indent=2))
    if options.page:
        page = options.page.read_text(encoding="utf-8")
        options.page.write_text(replace_tables(page, table(result), "across"), encoding="utf-8")


if __name__ == "__main__":
    main()
