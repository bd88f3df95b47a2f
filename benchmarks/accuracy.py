"""Accuracy of one method on one few-label trial of a stain; prints JSON and writes it with the masks.

    python benchmarks/accuracy.py --stain-dir DIR/histology --method ours --preset cpu --out OUT
    python benchmarks/accuracy.py --stain-dir DIR/histology --method forest --out OUT
    python benchmarks/accuracy.py --stain-dir DIR/histology --method unet --steps 600 --out OUT
    python benchmarks/accuracy.py --stain-dir DIR/histology --method unet --seconds 1800 --out OUT

Every method gets the same windows with the same surroundings, normalised in the same way, and the same decoder, tuned
on the maps of windows, and of views of them, that the fitted model has not seen. test/ is only read when all is chosen.
"""

from __future__ import annotations

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from stains import build_dataset

from fewstain.baselines.forest import ForestSegmenter
from fewstain.baselines.segmenter import PixelSegmenter
from fewstain.baselines.unet import UNetSegmenter
from fewstain.config import resolve
from fewstain.dataset import Dataset, open_dataset
from fewstain.diffusion.record import read_record
from fewstain.evaluate.folders import evaluate_folders
from fewstain.images.normalise import Normaliser, fit_normaliser
from fewstain.images.read import read_image
from fewstain.images.write import write_labels
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.folds import assign_folds
from fewstain.pixels.tune import decode_maps, tune_decoder
from fewstain.pixels.views import draw_view
from fewstain.pixels.windows import LabeledWindow, read_windows


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    start = time.monotonic()
    dataset = build_dataset(options.stain_dir, options.out / "dataset", options.labels, options.seed)
    run = run_ours if options.method == "ours" else run_baseline
    details = run(dataset, options)
    wall = time.monotonic() - start
    scores = evaluate_folders(dataset / "test" / "labels", options.out / "masks")
    scores.pop("images")
    if options.method == "ours":
        wall = sum(details[f"{section}_s"] for section in ("diffusion", "pixels", "segment"))
    result = {
        "stain": options.stain_dir.resolve().name,
        "method": options.method,
        "n_labels": options.labels,
        "seed": options.seed,
        **details,
        "wall_s": round(wall, 1),
        "peak_memory_gb": round(peak_memory_bytes() / 1e9, 2),
        "device": options.device if options.method != "ours" or not torch.cuda.is_available() else "cuda",
        "machine": {"processor": platform.machine(), "threads": torch.get_num_threads()},
        "command": "python benchmarks/accuracy.py " + command(options),
        "test": scores,
    }
    text = json.dumps(result, indent=2, allow_nan=False)
    (options.out / "accuracy.json").write_text(text + "\n")
    print(text)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Accuracy of one method on one few-label trial of a stain.")
    parser.add_argument("--stain-dir", type=Path, required=True, help="folder of the stain, see stains.py")
    parser.add_argument("--out", type=Path, required=True, help="takes the trial's dataset, the masks, accuracy.json")
    parser.add_argument("--method", choices=("ours", "forest", "unet"), required=True)
    parser.add_argument("--labels", type=int, default=24, help="labeled windows")
    parser.add_argument("--seed", type=int, default=0, help="which windows, and the seed of the method")
    parser.add_argument("--preset", default="cpu", help="ours: the preset; all: its folds and decoder trials")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="ours: replaces a number, as diffusion.steps=200",
    )
    parser.add_argument("--steps", type=int, help="unet: training steps, in each fold and in the end")
    parser.add_argument("--seconds", type=float, help="unet: seconds of the last training")
    parser.add_argument(
        "--fold-seconds", type=float, help="unet: seconds of each fold's training, by default a quarter"
    )
    parser.add_argument("--device", default="cpu", help="unet: where it trains")
    options = parser.parse_args(arguments)
    if options.method == "unet" and (options.steps is None) == (options.seconds is None):
        parser.error("--method unet needs either --steps or --seconds")
    return options


def run_ours(dataset: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Run the verbs a user would run; their times are told apart."""
    out, results = options.out, options.out / "results"
    seed = ["--seed", str(options.seed)]
    denoiser = str(results / "diffusion")
    verbs = {
        "diffusion": ["train-diffusion", str(dataset), "--out", denoiser, "--state", str(out / "state"), *seed],
        "pixels": ["fit-pixels", str(dataset), "--diffusion", denoiser, "--out", str(results / "pixels"), *seed],
        "segment": ["segment", str(results), str(dataset / "test" / "images"), "--out", str(out)],
    }
    times = {}
    for section, words in verbs.items():
        changes = [word for pair in options.set if pair.startswith(f"{section}.") for word in ("--set", pair)]
        start = time.monotonic()
        program = [sys.executable, "-c", "from fewstain.cli import main; main()"]
        subprocess.run([*program, *words, "--preset", options.preset, *changes], check=True, stdout=sys.stderr)
        times[f"{section}_s"] = round(time.monotonic() - start, 1)
    # what the training state tells counts, however often it was interrupted
    times["diffusion_s"] = round(max(times["diffusion_s"], read_record(Path(denoiser)).wall_seconds), 1)
    return {"preset": options.preset, "set": options.set, **times}


def run_baseline(root: Path, options: argparse.Namespace) -> dict[str, Any]:
    """Fit a baseline out-of-fold, tune the decoder on that, fit it on all windows, segment the test images."""
    dataset = open_dataset(root)
    normaliser = fit_normaliser(read_image(path).pixels for path in dataset.images)
    channels = range(read_image(dataset.images[0]).pixels.shape[2])
    windows = list(read_windows(dataset, dataset.windows, normaliser, channels, 1, {}))
    settings = resolve(options.preset).pixels
    start = time.monotonic()
    fold_of = assign_folds(windows, settings.folds, options.seed)
    rng = np.random.default_rng(options.seed)
    views = [draw_view(window, rng) for _ in range(settings.decoder_views) for window in windows]
    maps, view_maps = out_of_fold_maps(lambda: make(options, fold=True), windows, views, fold_of)
    folds_s = time.monotonic() - start
    decoder = tune_decoder(
        maps,
        windows,
        trials=settings.decoder_trials,
        decoders=settings.decoders,
        seed=options.seed,
        view_maps=view_maps,
        views=views,
    )
    tuning_s = time.monotonic() - start - folds_s
    start = time.monotonic()
    segmenter = make(options, fold=False).fit(windows)
    fit_s = time.monotonic() - start
    start = time.monotonic()
    segment_test(segmenter, dataset, normaliser, decoder, options.out / "masks")
    times = {"folds_s": folds_s, "tuning_s": tuning_s, "fit_s": fit_s, "predict_s": time.monotonic() - start}
    details: dict[str, Any] = {name: round(value, 1) for name, value in times.items()}
    if isinstance(segmenter, UNetSegmenter):
        details |= {"steps": segmenter.steps_done, "budget": "steps" if options.steps else "seconds"}
    return {**details, "decoder": asdict(decoder)}


def make(options: argparse.Namespace, fold: bool) -> PixelSegmenter:
    if options.method == "forest":
        return ForestSegmenter(seed=options.seed)
    seconds = options.seconds
    if fold and seconds is not None:
        seconds = options.fold_seconds or seconds / 4
    return UNetSegmenter(steps=options.steps, seconds=seconds, device=options.device, seed=options.seed)


def out_of_fold_maps(
    new: Callable[[], PixelSegmenter],
    windows: Sequence[LabeledWindow],
    views: Sequence[LabeledWindow],
    fold_of: np.ndarray,
) -> tuple[list[PixelMaps], list[PixelMaps]]:
    """Map each window, and each view of it (view i is of window i % n), without having learned from its fold."""
    maps: list[PixelMaps | None] = [None] * (len(windows) + len(views))
    folds = np.resize(fold_of, len(maps))
    for fold in np.unique(fold_of):
        fitted = new().fit([window for window, of in zip(windows, fold_of, strict=True) if of != fold])
        for index in np.flatnonzero(folds == fold):
            window = (*windows, *views)[index]
            rows, columns = window.inside
            found = fitted.predict(window.image.numpy())
            maps[index] = PixelMaps(
                found.probabilities[..., rows, columns],
                found.distance[..., rows, columns],
                found.uncertainty[..., rows, columns],
            )
    done = [each for each in maps if each is not None]
    return done[: len(windows)], done[len(windows) :]


def segment_test(
    segmenter: PixelSegmenter, dataset: Dataset, normaliser: Normaliser, decoder: Consensus, out: Path
) -> None:
    out.mkdir(parents=True, exist_ok=True)
    for test in dataset.test:
        maps = segmenter.predict(normaliser.apply(read_image(test.image).pixels))
        write_labels(out / test.image.name, decode_maps(maps, decoder))


def peak_memory_bytes() -> int:
    """Largest resident memory of this process and of any it ran."""
    peak = max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return peak if sys.platform == "darwin" else peak * 1024


def command(options: argparse.Namespace) -> str:
    """Tell the options that made this result, without folders."""
    words = [f"--stain-dir {options.stain_dir.resolve().name} --method {options.method}"]
    words.append(f"--labels {options.labels} --seed {options.seed}")
    if options.method == "ours":
        words += [f"--preset {options.preset}", *(f"--set {pair}" for pair in options.set)]
    for name in ("steps", "seconds", "fold_seconds"):
        if getattr(options, name) is not None:
            words.append(f"--{name.replace('_', '-')} {getattr(options, name):g}")
    return " ".join(words)


if __name__ == "__main__":
    main()
