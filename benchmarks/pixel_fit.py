"""Fit the pixel ensemble on 30 labeled 256² images and predict 10 more, in the published way and in ours.

    python benchmarks/pixel_fit.py [--data DIR] [--diffusion results/demo/diffusion] [--json FILE]

Prints JSON. Both ways have the same denoiser, timesteps, blocks, number of members, images and targets; published.py
says what the published way does, ours is what `fewstain fit-pixels` does once features are chosen: components, a table
of pixels from several views, all members at once, applied without upsampling. Neither chooses features, and classical
filters are off, for the published way has neither.

Each way runs in a process of its own. Its seconds are those of extracting features, fitting and predicting maps;
`extra_bytes` is its peak of resident memory (VmHWM) less what it held before the first features: libraries, denoiser
and images. Then, not counted, each way's decoder is tuned, from the same parameter sets on its maps of the same fitted
images, since the published way has no held-out ones; and the predicted images are scored. Both AP50 are those at
`n_published` labels.

n_published is the largest number of images, up to 30, with which the published way takes at most 0.8 of the memory that
is free and about --published-seconds, by the time of some training steps. When it is less than 30, the published
numbers are extrapolated to 30: the seconds of fitting are proportional to the images, and for each one more the memory
grows by twice the image's features, the rest staying as measured.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import published
import torch
from labeled_squares import squares, test_images, training_images

from fewstain.demo import write_demo
from fewstain.diffusion.network import load_denoiser
from fewstain.diffusion.record import read_record
from fewstain.evaluate.scores import ScoreSum
from fewstain.overrides import resolve
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.extractor import build_extractor
from fewstain.pixels.features import FeatureExtractor
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.table import sample_table, window_projection
from fewstain.pixels.targets import INTERIOR
from fewstain.pixels.training import train_ensemble
from fewstain.pixels.tune import decode_maps, tune_decoder
from fewstain.settings import PixelSettings

SEED = 0
N_CLASSES = INTERIOR + 1
TUNING_IMAGES = 8
MEMORY_SHARE = 0.8
Predict = Callable[[torch.Tensor], PixelMaps]


def main(arguments: Sequence[str] | None = None) -> None:
    options = parse(arguments)
    if options.way:
        print(json.dumps(run_way(options)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        options.diffusion = options.diffusion or train_denoiser(options, Path(temporary))
        result = compare(options)
    text = json.dumps(result, indent=2, allow_nan=False)
    if options.json:
        options.json.write_text(text + "\n")
    print(text)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="a stain folder or a dataset folder; else the demo's labeled image")
    parser.add_argument("--diffusion", type=Path, help="folder of a trained denoiser; else one is trained here")
    parser.add_argument("--diffusion-steps", type=int, default=500, help="training steps of that one")
    parser.add_argument("--preset", default="cpu", help="network and numbers of the ensemble")
    parser.add_argument("--images", type=int, default=30, help="to fit")
    parser.add_argument("--test-images", type=int, default=10, help="to predict")
    parser.add_argument("--side", type=int, default=256, help="of the images, pixels")
    parser.add_argument("--decoder-trials", type=int, default=30)
    parser.add_argument(
        "--published-seconds", type=float, default=1800, help="about the most the published fit may take"
    )
    parser.add_argument("--n-published", type=int, help="fit the published way on so many images")
    parser.add_argument("--json", type=Path, help="write the result there too")
    parser.add_argument("--way", choices=("ours", "published"), help="run one way only, in this process")
    return parser.parse_args(arguments)


def compare(options: argparse.Namespace) -> dict[str, Any]:
    """Run both ways in fresh processes and put their numbers beside each other."""
    n, limits = options.images, published_limits(options)
    n_published = options.n_published or min(n, *limits.values())
    ours = in_fresh_process(options, "ours", n)
    theirs = in_fresh_process(options, "published", n_published)
    ours_alike = ours if n_published == n else in_fresh_process(options, "ours", n_published)
    seconds = theirs["fit_seconds"] * n / n_published + theirs["predict_seconds"]
    ours_seconds = ours["fit_seconds"] + ours["predict_seconds"]
    memory = theirs["extra_bytes"] + (n - n_published) * published.COPIES * theirs["image_bytes"]
    extrapolated = n_published < n
    return {
        "speedup": round(seconds / ours_seconds, 1),
        "memory_ratio": round(memory / ours["extra_bytes"], 1),
        "ap50_ours": ours_alike["ap50"],
        "ap50_published": theirs["ap50"],
        "n_published": n_published,
        "extrapolated": extrapolated,
        "how": f"fitting seconds of {n_published} images x {n}/{n_published}; twice the features of each missing image"
        if extrapolated
        else None,
        "published_limits": limits,
        "seconds_ours": round(ours_seconds, 2),
        "seconds_published": round(seconds, 2),
        "extra_bytes_ours": ours["extra_bytes"],
        "extra_bytes_published": memory,
        "runs": {"ours": ours, "published": theirs, "ours_at_n_published": ours_alike},
        "data": options.data.resolve().name if options.data else "demo",
        "preset": options.preset,
        "images": n,
        "side": options.side,
        "threads": torch.get_num_threads(),
        "command": command(options),
    }


def published_limits(options: argparse.Namespace) -> dict[str, int]:
    """How many images the published way can take by memory and by time; at least one."""
    settings, extractor, _ = prepare(options)
    channels = len(read_record(options.diffusion).channels)
    features = sum(each.shape[1] for each in extractor.maps(torch.zeros(1, channels, options.side, options.side)))
    pixels = options.side**2
    # one more image is upsampled beside the table
    memory = psutil.virtual_memory().available * MEMORY_SHARE / (published.COPIES * features * pixels * 4) - 1
    a_step = published.step_seconds(features, N_CLASSES)
    an_image = a_step * pixels / published.BATCH_PIXELS * published.FULL_EPOCHS * settings.members
    return {"by_memory": max(1, int(memory)), "by_seconds": max(1, int(options.published_seconds / an_image))}


def in_fresh_process(options: argparse.Namespace, way: str, n: int) -> dict[str, Any]:
    words = [sys.executable, __file__, "--way", way, "--images", str(n), "--diffusion", str(options.diffusion)]
    words += ["--data", str(options.data)] if options.data else []
    for name in ("preset", "test_images", "side", "decoder_trials"):
        words += [f"--{name.replace('_', '-')}", str(getattr(options, name))]
    print(f"{way}: {n} images", file=sys.stderr)
    done = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def prepare(options: argparse.Namespace) -> tuple[PixelSettings, FeatureExtractor, Callable[[np.ndarray], np.ndarray]]:
    """Return the ensemble's numbers, the features that both ways learn from, and the denoiser's normalisation."""
    settings = resolve(options.preset).pixels
    record = read_record(options.diffusion)
    extractor = build_extractor(
        load_denoiser(options.diffusion),
        settings.timesteps,
        None,
        filters=False,
        noise_draws=settings.noise_draws,
        seed=SEED,
        autocast=record.precision.startswith("bf16"),
    )
    return settings, extractor, lambda pixels: record.normaliser.apply(pixels[..., list(record.channels)])


def run_way(options: argparse.Namespace) -> dict[str, Any]:
    """Fit and predict in this process, then tune the decoder and score."""
    settings, extractor, normalise = prepare(options)
    fitted = squares(training_images(options.data), options.images, options.side, normalise, extractor.multiple)
    tested = squares(test_images(options.data), options.test_images, options.side, normalise, extractor.multiple)
    before = psutil.Process().memory_info().rss
    start = time.perf_counter()
    predict = (fit_ours if options.way == "ours" else fit_published)(settings, extractor, fitted)
    fit_seconds = time.perf_counter() - start
    maps = [predict(window.image) for window in tested]
    seconds, peak = time.perf_counter() - start, peak_bytes()
    tuning = fitted[:TUNING_IMAGES]
    decoder = tune_decoder(
        HeldOutMaps(tuning, [predict(window.image) for window in tuning]),
        trials=options.decoder_trials,
        decoders=settings.decoders,
        seed=SEED,
    )
    scores = ScoreSum()
    for window, found in zip(tested, maps, strict=True):
        scores.add(window.labels, decode_maps(found, decoder))
    features = sum(each.shape[1] for each in extractor.maps(fitted[0].image[None]))
    return {
        "images": len(fitted),
        "fit_seconds": round(fit_seconds, 2),
        "predict_seconds": round(seconds - fit_seconds, 2),
        "bytes_before": before,
        "extra_bytes": peak - before,
        "image_bytes": features * options.side**2 * 4,
        "features": features,
        "members": settings.members,
        "timesteps": settings.timesteps,
        "ap50": scores.scores()["AP50"],
    }


def fit_ours(settings: PixelSettings, extractor: FeatureExtractor, windows: Sequence[LabeledWindow]) -> Predict:
    rng = np.random.default_rng(SEED)
    projection = window_projection(extractor, windows, settings.components, rng)
    sizes = {"views": settings.views, "pixels_per_window": settings.pixels_of_each(len(windows))}
    table = sample_table(extractor, projection, windows, **sizes, rng=rng)
    columns, everything = torch.arange(table.features.shape[1]), torch.arange(len(table))
    trained = train_ensemble(table, columns, [everything] * settings.members, N_CLASSES, settings, seed=SEED)
    ensemble = projection.unfold(trained)
    return lambda image: ensemble.predict(extractor.maps(image[None]), (image.shape[1], image.shape[2]))


def fit_published(settings: PixelSettings, extractor: FeatureExtractor, windows: Sequence[LabeledWindow]) -> Predict:
    members = published.fit_published(extractor, windows, N_CLASSES, settings.members, SEED)
    return lambda image: published.predict_published(members, extractor, image)


def train_denoiser(options: argparse.Namespace, folder: Path) -> Path:
    """Train on the images of the data (the demo's pool without --data), in a process of its own."""
    data, out = options.data or write_demo(folder / "demo")[0], folder / "diffusion"
    words = [sys.executable, "-c", "from fewstain.cli import main; main()", "train-diffusion", str(data)]
    words += ["--out", str(out), "--state", str(folder / "state"), "--preset", options.preset, "--seed", str(SEED)]
    words += ["--set", f"diffusion.steps={options.diffusion_steps}", "--set", "diffusion.samples=0"]
    subprocess.run(words, check=True, stdout=sys.stderr)
    return out


def peak_bytes() -> int:
    """Largest resident memory of this process; ru_maxrss may be its parent's, so it is second choice."""
    status = Path("/proc/self/status")
    if status.exists():
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def command(options: argparse.Namespace) -> str:
    """Tell what was run, without folders."""
    words = [f"--data {options.data.resolve().name}"] if options.data else []
    words += [f"--preset {options.preset} --images {options.images} --side {options.side}"]
    words += [f"--n-published {options.n_published}"] if options.n_published else []
    return " ".join(["python benchmarks/pixel_fit.py", *words])


if __name__ == "__main__":
    main()
