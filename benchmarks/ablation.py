"""What each part of the pixel fit is worth, out-of-fold on the labeled windows; prints JSON.

    python benchmarks/ablation.py --stain-dir DIR/histology --diffusion RESULTS/diffusion --out histology.json

The denoiser is given, everything else is computed anew for each variant with all timesteps and blocks. test/ is not
read. The number of objects is small: differences below the printed standard error say nothing.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fewstain.benchmark.trial import build_dataset
from fewstain.dataset import open_dataset
from fewstain.diffusion.network import Denoiser, load_denoiser
from fewstain.diffusion.record import read_record
from fewstain.pixels.choose import FeatureChoice, predict_held_out, train_folds
from fewstain.pixels.features import block_names
from fewstain.pixels.fit import labeled_features
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.tune import DecoderTrials, decoder_candidates, try_decoders
from fewstain.pixels.windows import read_windows
from fewstain.settings import PixelSettings

VARIANTS: dict[str, Mapping[str, Any]] = {
    "as shipped": {},
    "classical filters alone": {"_denoiser": False},
    "denoiser alone": {"filters": False},
    "all channels instead of components": {"components": 0},
    "16 components a map": {"components": 16},
    "one view of each window": {"views": 1},
    "hidden layers of 128 and 32": {"hidden": (128, 32)},
    "three times the steps": {"steps": 900},
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What each part of the pixel fit is worth, out-of-fold.")
    parser.add_argument("--stain-dir", type=Path, required=True, help="folder of the stain, see docs/benchmark.md")
    parser.add_argument("--diffusion", type=Path, required=True, help="a trained denoiser's folder")
    parser.add_argument("--labels", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    denoiser, source = load_denoiser(options.diffusion), read_record(options.diffusion)
    with tempfile.TemporaryDirectory() as folder:
        root = build_dataset(options.stain_dir, Path(folder) / "dataset", options.labels, options.seed)
        dataset = open_dataset(root)
        windows = list(
            read_windows(dataset, dataset.windows, source.normaliser, source.channels, denoiser.multiple, {})
        )
    rows = [run(name, windows, denoiser, options.seed) for name in options.variants]
    result = {"stain": options.stain_dir.resolve().name, "n_labels": options.labels, "seed": options.seed}
    text = json.dumps(result | {"diffusion_steps": source.steps, "variants": rows}, indent=2)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


def run(name: str, windows: Sequence[LabeledWindow], denoiser: Denoiser, seed: int) -> dict[str, Any]:
    """Fit one variant out-of-fold and try the decoders on it."""
    changes = dict(VARIANTS[name])
    use_denoiser = changes.pop("_denoiser", True)
    settings = PixelSettings().model_copy(update=changes)
    start = time.monotonic()
    features = labeled_features(windows, denoiser, settings, n_classes=3, seed=seed, autocast=True)
    choice = FeatureChoice(settings.timesteps if use_denoiser else (), block_names(denoiser))
    maps = predict_held_out(features, choice, train_folds(features, choice, settings, seed))
    seconds = time.monotonic() - start
    trials = try_decoders(maps, windows, decoder_candidates(windows, settings.decoder_trials, seed))
    best = trials.average_precision()[trials.best()]
    return {
        "variant": name,
        "AP50": round(float(best[0]), 3),
        "AP": round(float(best.mean()), 3),
        "AP50_standard_error": round(standard_error(trials), 3),
        "fit_s": round(seconds, 1),
    }


def standard_error(trials: DecoderTrials, draws: int = 200) -> float:
    """Estimate the standard error of AP50 by bootstrap over windows, with the decoder held fixed."""
    counts = trials.counts[trials.best(), :, 0]
    rng = np.random.default_rng(0)
    sums = counts[rng.integers(len(counts), size=(draws, len(counts)))].sum(1)
    return float((sums[:, 0] / np.maximum(sums.sum(1), 1)).std())


if __name__ == "__main__":
    main()
