"""AP50 of fitted models on further labeled windows of their stain, and how far they are apart; prints JSON.

    python benchmarks/further.py --stain-dir DIR/histology RESULTS_DIR… [--page docs/accuracy.md]

The windows are those of the stain's other trials that come from images which the trial of `--labels` and `--seed` has
none of (`views.py`). Each model is scored with its own decoder, and its nested out-of-fold score is told beside. Errors
are standard errors of a bootstrap over windows; the difference to the first model is bootstrapped window by window.
With `--page` the table goes between that page's two markers.
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
from views import windows_of

from fewstain.diffusion.record import read_record
from fewstain.evaluate.matching import match
from fewstain.pixels.tune import decode_maps
from fewstain.pixels.windows import LabeledWindow
from fewstain.pixels.folder import load_pixels

DRAWS = 2000


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, nargs="+", help="results folders, with diffusion/ and pixels/ in them")
    parser.add_argument("--stain-dir", type=Path, required=True, help="see stains.py")
    parser.add_argument("--labels", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--page", type=Path, help="page that takes the table, docs/accuracy.md")
    options = parser.parse_args(arguments)
    further = windows_of(options.stain_dir, options.labels, options.seed)[1]
    found = [counts(folder, further) for folder in options.results]
    rows = [{**about(folder), **compared(each, found[0])} for folder, each in zip(options.results, found, strict=True)]
    result = {"stain": options.stain_dir.name, "n_labels": options.labels, "seed": options.seed}
    result |= {"further_windows": len(further), "models": rows}
    print(json.dumps(result, indent=2))
    if options.page is not None:
        page = replace_tables(options.page.read_text(encoding="utf-8"), table(result), "further")
        options.page.write_text(page, encoding="utf-8")


def about(results: Path) -> dict[str, Any]:
    """Tell what is known of a model without the further windows."""
    record, denoiser = load_pixels(results).record, read_record(results / "diffusion")
    return {
        "prediction": denoiser.settings["prediction"],
        "steps": denoiser.steps,
        "AP50_out_of_fold": record.out_of_fold["AP50"],
        "AP_out_of_fold": record.out_of_fold["AP"],
    }


def counts(results: Path, windows: Sequence[LabeledWindow]) -> NDArray[np.int64]:
    """(windows, 3) true positives, false positives and false negatives at an IoU of 0.5."""
    model = load_pixels(results)
    found = []
    for window in windows:
        maps = model.predictor(window.image[None], window.origin)
        inside = maps.cut(*window.inside)
        matching = match(window.labels, decode_maps(inside, model.record.decoder), ignore_edge=True)
        found.append((matching.tp, matching.fp, matching.fn))
    return np.array(found, dtype=np.int64)


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
    lines = [
        f"{result['stain']}, {result['n_labels']} labels, seed {result['seed']}; {result['further_windows']} further "
        "windows; standard errors of a bootstrap over windows.",
        "",
        "| prediction | steps | AP50 out-of-fold, nested | AP50, further windows | difference to the first |",
        "| --- | --- | --- | --- | --- |",
    ]
    for number, row in enumerate(result["models"]):
        apart = f"{row['difference']:+.3f} ({row['difference_standard_error']:.3f})" if number else "–"
        score = f"{row['AP50']:.3f} ({row['AP50_standard_error']:.3f})"
        lines.append(f"| {row['prediction']} | {row['steps']} | {row['AP50_out_of_fold']:.3f} | {score} | {apart} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
