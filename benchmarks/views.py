"""What the views of labeled windows are worth, on further labeled windows of the same stain; prints JSON.

    python benchmarks/views.py --stain-dir DIR/fluorescence --out views.json

Ensembles on classical filters alone, which take seconds, learn from the windows of one trial, each time from other
views of them. They are scored on the windows of the stain's other trials that come from images this one has none of,
with the decoder chosen in two ways: by the held-out windows alone, and by held-out views of them too. `AP50_best` is
what the best of the decoders tried would have given, which nobody could have known, and `merged` how many true objects
that one left together. `AP50_agreed` is what the best decoders of the choice by views give together
(`fewstain.pixels.consensus`), `AP50_agreeing` what they give one by one, on average.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from torch import Tensor

from fewstain.benchmark.trial import build_dataset
from fewstain.dataset import open_dataset
from fewstain.evaluate.scores import ScoreSum
from fewstain.images.normalise import Normaliser, fit_normaliser
from fewstain.images.read import are_rgb, read_image
from fewstain.pixels.choose import (
    FeatureChoice,
    LabeledFeatures,
    compare_choices,
    fit_final,
    tune_winners,
)
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelEnsemble, PixelMaps
from fewstain.pixels.filters import FilterFeatures
from fewstain.pixels.folds import assign_folds
from fewstain.pixels.labeled_window import LabeledWindow, label_window
from fewstain.pixels.table import sample_table, window_projection
from fewstain.pixels.tune import decode_maps, try_decoders
from fewstain.pixels.views import MOST_ZOOM, draw_view, held_out_views, other_light, turned_view, with_copies
from fewstain.pixels.windows import read_windows
from fewstain.settings import PixelSettings

ViewOf = Callable[[LabeledWindow, np.random.Generator], LabeledWindow]
N_CLASSES = 3
FILTERS = FeatureChoice((), ())  # nothing of a denoiser


def in_other_light(window: LabeledWindow, rng: np.random.Generator) -> LabeledWindow:
    seen = turned_view(window, rng)
    return replace(seen, image=other_light(seen.image, rng))


def crowded(window: LabeledWindow, rng: np.random.Generator) -> LabeledWindow:
    return with_copies(turned_view(window, rng), 1 + int(rng.integers(3)), rng)


def magnified(window: LabeledWindow, rng: np.random.Generator) -> LabeledWindow:
    return turned_view(window, rng).magnified(MOST_ZOOM ** rng.uniform(-1, 1))


VARIANTS: dict[str, ViewOf] = {
    "turned": turned_view,
    "turned, in other light": in_other_light,
    "turned, with touching copies": crowded,
    "turned, at other magnifications": magnified,
    "as shipped: all four": draw_view,
}


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description="What the views of labeled windows are worth.")
    parser.add_argument("--stain-dir", type=Path, required=True, help="folder of the stain, see docs/benchmark.md")
    parser.add_argument("--labels", type=int, default=24, help="windows learned from")
    parser.add_argument("--seed", type=int, default=0, help="which windows, and the seed of the fits")
    parser.add_argument("--trials", type=int, default=PixelSettings().decoder_trials)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args(arguments)
    windows, further = windows_of(options.stain_dir, options.labels, options.seed)
    rows = [run(name, view_of, windows, further, options.trials, options.seed) for name, view_of in VARIANTS.items()]
    result = {
        "stain": options.stain_dir.resolve().name,
        "n_labels": options.labels,
        "seed": options.seed,
        "further_windows": len(further),
        "views": rows,
    }
    text = json.dumps(result, indent=2)
    if options.out:
        options.out.write_text(text + "\n")
    print(text)


def windows_of(
    stain_dir: Path, n_labels: int, seed: int, *, whole: bool = False
) -> tuple[list[LabeledWindow], list[LabeledWindow]]:
    """Windows of a trial, and those of the stain's other trials that come from other images, or these images whole."""
    with tempfile.TemporaryDirectory() as folder:
        dataset = open_dataset(build_dataset(stain_dir, Path(folder) / "dataset", n_labels, seed))
        normaliser = fit_normaliser((read_image(path).pixels for path in dataset.images), rgb=are_rgb(dataset.images))
        channels = range(read_image(dataset.images[0]).pixels.shape[2])
        windows = list(read_windows(dataset, dataset.windows, normaliser, channels, 1, {}))
        images = [path.stem for path in dataset.images]
    few = json.loads((stain_dir / "few-labels.json").read_text())
    learned = {window.group for window in windows}
    if whole:
        places = {(image, None, None) for image in images if image not in learned}
    else:
        places = {
            (each["image"], each["y"], each["x"])
            for other, listed in few["seeds"].items()
            for each in listed
            if other != str(seed) and each["image"] not in learned
        }
    return windows, [_further(stain_dir, normaliser, *place, few["crop"]) for place in sorted(places)]


def _further(
    stain_dir: Path, normaliser: Normaliser, image: str, y: int | None, x: int | None, side: int
) -> LabeledWindow:
    pixels = normaliser.apply(read_image(stain_dir / "images" / f"{image}.tif").pixels)
    labels = tifffile.imread(stain_dir / "full-labels" / f"{image}.tif").astype(np.int32)
    if y is None or x is None:
        return label_window(pixels, labels, (0, 0), image, image, 1)
    return label_window(pixels, labels[y : y + side, x : x + side], (y, x), f"{image}-{y}-{x}", image, 1)


def run(
    name: str,
    view_of: ViewOf,
    windows: Sequence[LabeledWindow],
    further: Sequence[LabeledWindow],
    trials: int,
    seed: int,
) -> dict[str, Any]:
    """Fit on one kind of views and score on the further windows."""
    settings = PixelSettings(decoder_trials=trials)
    features = labeled_features(windows, view_of, settings, seed)
    candidates = compare_choices(features, [FILTERS], settings, seed)
    chosen = tune_winners(features, candidates)[0]
    ensemble = fit_final(features, FILTERS, settings, seed)
    maps = [predict(ensemble, window) for window in further]
    found = try_decoders(maps, further, chosen.trials.parameters)
    precision = found.average_precision()[:, 0]
    best = found.parameters[int(precision.argmax())]
    agreed = chosen.decoder(settings.decoders)
    alone = [precision[found.parameters.index(each)] for each in agreed.decoders]
    return {
        "variant": name,
        "AP50_decoder_by_windows": round(float(precision[chosen.trials.best()]), 3),
        "AP50_decoder_by_views_too": round(float(precision[chosen.decoder_trials.best()]), 3),
        "AP50_agreed": round(_average_precision(further, maps, agreed), 3),
        "AP50_agreeing": round(float(np.mean(alone)), 3),
        "AP50_best": round(float(precision.max()), 3),
        "AP50_mean": round(float(precision.mean()), 3),
        "merged": sum(
            merged(window.labels, decode_maps(each, best)) for window, each in zip(further, maps, strict=True)
        ),
    }


def _average_precision(windows: Sequence[LabeledWindow], maps: Sequence[PixelMaps], decoder: Consensus) -> float:
    scores = ScoreSum()
    for window, each in zip(windows, maps, strict=True):
        scores.add(window.labels, decode_maps(each, decoder), ignore_edge=True)
    return float(scores.scores()["AP50"])


def labeled_features(
    windows: Sequence[LabeledWindow], view_of: ViewOf, settings: PixelSettings, seed: int
) -> LabeledFeatures:
    """Compute what is learned from, of classical filters alone; the decoder's views are those of the product."""
    extractor, rng = FilterFeatures(), np.random.default_rng(seed)
    projection = window_projection(extractor, windows, settings.components, rng)
    sizes = {"views": settings.views, "pixels_per_window": settings.pixels_of_each(len(windows))}
    table = sample_table(extractor, projection, windows, **sizes, rng=rng, view_of=view_of)

    def project(window: LabeledWindow) -> list[Tensor]:
        return [each.half() for each in projection.apply(extractor.maps(window.image[None]))]

    return LabeledFeatures(
        windows,
        assign_folds(windows, settings.folds, seed),
        projection,
        table,
        [project(window) for window in windows],
        [None],
        N_CLASSES,
        held_out_views(windows, settings.decoder_views, seed),
        project,
    )


def predict(ensemble: PixelEnsemble, window: LabeledWindow) -> PixelMaps:
    """Map a window that was not learned from."""
    whole = ensemble.predict(FilterFeatures().maps(window.image[None]), tuple(window.image.shape[1:]))
    rows, columns = window.inside
    return PixelMaps(*(each[..., rows, columns] for each in (whole.probabilities, whole.distance, whole.uncertainty)))


def merged(truth: np.ndarray, predicted: np.ndarray) -> int:
    """Count true objects of which most lies in a predicted object that holds most of another one as well."""
    areas = np.bincount(truth.ravel())
    inside = truth > 0
    pairs, pixels = np.unique(np.stack([truth[inside], predicted[inside]]), axis=1, return_counts=True)
    mostly = (pixels > areas[pairs[0]] / 2) & (pairs[1] > 0)
    _, sharing = np.unique(pairs[1, mostly], return_counts=True)
    return int(sharing[sharing > 1].sum())


if __name__ == "__main__":
    main()
