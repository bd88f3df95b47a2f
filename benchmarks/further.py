"""AP50 of fitted models on further labeled windows of their stain, and how far they are apart; prints JSON.

    python benchmarks/further.py --stain-dir DIR/histology RESULTS_DIR… [--whole] [--page docs/accuracy.md]

With `--whole` they are scored on the whole images that no window of the trial is of. Otherwise on windows: those of
the stain's other trials that come from images which the trial of `--labels` and `--seed` has none of (`views.py`).
Ensemble, segmenter and both are scored, where a results folder has them, both with a decoder chosen by the ensemble's
maps; the nested out-of-fold score is told beside. Errors are standard errors of a bootstrap over windows, or images;
the difference to the first model is bootstrapped window by window. Below it stands how often objects of some
`confidence` are right: a chance learned on held-out windows of a few images says too much of others. With `--page`
the tables go between that page's markers of the stain.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from page import replace_tables
from skimage.segmentation import clear_border
from views import windows_of

import fewstain
from fewstain.diffusion.record import read_record
from fewstain.evaluate.matching import best_ious, match
from fewstain.pairs.method import Method
from fewstain.pairs.segmenter_record import read_segmenter_record
from fewstain.pixels.consensus import FoundObjects
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.proposals import decodable
from fewstain.pixels.record import read_record as read_pixels_record

DRAWS = 2000
CONFIDENCES = (0, 0.6, 0.8, 0.9, 0.95, 1)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", help="results folders, with diffusion/ and pixels/ in them")
    parser.add_argument("--stain-dir", type=Path, required=True, help="folder of the stain, see docs/benchmark.md")
    parser.add_argument("--labels", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, help="page that takes the table, docs/accuracy.md")
    parser.add_argument("--whole", action="store_true", help="score whole images of the pool, not windows of them")
    options = parser.parse_args(arguments)
    further = windows_of(options.stain_dir, options.labels, options.seed, whole=options.whole)[1]
    models = [(folder, method) for folder in options.results for method in methods_of(folder)]
    segmented = [segment(folder, method, further) for folder, method in models]
    found = [counts(each, further) for each in segmented]
    rows = [
        {**about(*model), **compared(each, found[0]), "reliability": reliability(objects, further)}
        for model, each, objects in zip(models, found, segmented, strict=True)
    ]
    result = {"stain": options.stain_dir.name, "n_labels": options.labels, "seed": options.seed}
    result |= {"further": len(further), "whole": options.whole, "models": rows}
    print(json.dumps(result, indent=2))
    if options.page is not None:
        name = f"{result['stain']} {'whole' if options.whole else 'further'}"
        page = replace_tables(options.page.read_text(encoding="utf-8"), table(result), name)
        options.page.write_text(page, encoding="utf-8")


def methods_of(results: Path) -> list[Method]:
    """List what may segment with a results folder."""
    return list(Method) if (results / "segmenter").is_dir() else [Method.ensemble]


def about(results: Path, method: Method) -> dict[str, Any]:
    """Tell what is known of a model without the further windows."""
    denoiser = read_record(results / "diffusion")
    if (results / "segmenter").is_dir():
        scores = read_segmenter_record(results / "segmenter").out_of_fold[method]
    else:
        scores = read_pixels_record(results / "pixels").out_of_fold
    return {
        "prediction": denoiser.settings["prediction"],
        "steps": denoiser.steps,
        "method": method.value,
        "AP50_out_of_fold": scores["AP50"],
        "AP_out_of_fold": scores["AP"],
    }


def segment(results: Path, method: Method, windows: Sequence[LabeledWindow]) -> list[FoundObjects]:
    """Find the objects of each window."""
    model = fewstain.load(results, method=method)
    maps = (model.predictor(window.image[None], window.origin).cut(*window.inside) for window in windows)
    return [model.record.decoder.decode(decodable(each)) for each in maps]


def counts(found: Sequence[FoundObjects], windows: Sequence[LabeledWindow]) -> NDArray[np.int64]:
    """(windows, 3) true positives, false positives and false negatives at an IoU of 0.5."""
    matchings = [
        match(window.labels, each.labels, ignore_edge=True) for window, each in zip(windows, found, strict=True)
    ]
    return np.array([(each.tp, each.fp, each.fn) for each in matchings], dtype=np.int64)


def reliability(found: Sequence[FoundObjects], windows: Sequence[LabeledWindow]) -> list[dict[str, float]]:
    """Share of objects that are right (IoU above 0.5), by confidence; those that an edge cuts are left out."""
    whole = [clear_border(each.labels) for each in found]
    kept = [np.isin(np.arange(1, len(each.confidence) + 1), inside) for each, inside in zip(found, whole, strict=True)]
    confidence = np.concatenate([each.confidence[some] for each, some in zip(found, kept, strict=True)])
    best = (best_ious(window.labels, each.labels)[1] for window, each in zip(windows, found, strict=True))
    right = np.concatenate([ious[some] > 0.5 for ious, some in zip(best, kept, strict=True)])
    bins = np.digitize(confidence, CONFIDENCES[1:-1])
    return [
        {"from": low, "objects": int((bins == number).sum()), "right": float(right[bins == number].mean())}
        for number, low in enumerate(CONFIDENCES[:-1])
        if (bins == number).any()
    ]


def compared(own: NDArray[np.int64], first: NDArray[np.int64]) -> dict[str, float]:
    """AP50 with its standard error, and the difference to the first model's with its own."""
    drawn = np.random.default_rng(0).integers(0, len(own), (DRAWS, len(own)))
    spread, apart = average_precision(own[drawn]), average_precision(own[drawn]) - average_precision(first[drawn])
    return {
        "AP50": float(average_precision(own)),
        "AP50_standard_error": float(spread.std()),
        "difference": float(average_precision(own) - average_precision(first)),
        "difference_standard_error": float(apart.std()),
    }


def average_precision(found: NDArray[np.int64]) -> NDArray[np.float64]:
    """TP / (TP + FP + FN) of (..., windows, 3) counts, summed over windows."""
    total = found.sum(axis=-2)
    return np.asarray(total[..., 0] / np.maximum(total.sum(axis=-1), 1))


def table(result: dict[str, Any]) -> str:
    """One line a model."""
    scored, each_of = ("whole images of the pool", "images") if result["whole"] else ("further windows", "windows")
    lines = [
        f"{result['stain']}, {result['n_labels']} labels, seed {result['seed']}; {result['further']} {scored}; "
        f"standard errors of a bootstrap over {each_of}.",
        "",
        f"| prediction | steps | what segments | AP50 out-of-fold, nested | AP50, {scored} | difference to the first |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for number, row in enumerate(result["models"]):
        apart = f"{row['difference']:+.3f} ({row['difference_standard_error']:.3f})" if number else "–"
        score = f"{row['AP50']:.3f} ({row['AP50_standard_error']:.3f})"
        facts = f"{row['prediction']} | {row['steps']} | {row['method']} | {row['AP50_out_of_fold']:.3f}"
        lines.append(f"| {facts} | {score} | {apart} |")
    lines += ["", "| what segments | confidence from | objects | of them right |", "| --- | --- | --- | --- |"]
    for row in result["models"]:
        lines += [
            f"| {row['method']} | {each['from']} | {each['objects']} | {each['right']:.2f} |"
            for each in row["reliability"]
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
