"""scores.json: how good the results are, on the test images and out-of-fold, and at what price."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from fewstain.dataset import CLASSES_FILE, list_files
from fewstain.errors import UserError
from fewstain.evaluate.folders import evaluate_folders
from fewstain.images.read import LABEL_EXTENSIONS
from fewstain.storage import read_json, write_json

SCORES_FILE = "scores.json"
COST_FILE = "cost.json"


def write_scores(results: Path, root: Path) -> dict[str, Any]:
    """Score a results folder and write its scores.json.

    Parameters
    ----------
    results
        With diffusion/fewstain.json, pixels/pixels.json, pixels/cost.json, the like of segmenter/ where there is one,
        and masks of the test images in test/.
    root
        The dataset's folder; without labeled test images, "test" is None.

    Returns
    -------
    dict
        "test", "out_of_fold" (both as `ScoreSum.scores` gives them, of images and of labeled windows), method (what
        segments), n_labels, seed; wall_seconds of all trainings together, the painter's where the segmenter learned
        from pairs; peak_memory_bytes of the hungriest one, device.
    """
    pixels = read_json(results / "pixels" / "pixels.json")
    costs = [read_json(results / "diffusion" / "fewstain.json"), read_json(results / "pixels" / COST_FILE)]
    segmenter: dict[str, Any] = {}
    if (results / "segmenter" / "segmenter.json").is_file():
        segmenter = read_json(results / "segmenter" / "segmenter.json")
        costs.append(read_json(results / "segmenter" / COST_FILE))
    painter = results / "painter" / "painter.json"
    painting = [read_json(painter)] if segmenter.get("n_pairs") and painter.is_file() else []
    truth = root / "test" / "labels"
    test = None
    if list_files(truth, LABEL_EXTENSIONS):
        test = evaluate_folders(truth, results / "test", _classes(results / "test" / "measurements.csv", truth))
    try:
        scores = {
            "test": test,
            "out_of_fold": pixels["out_of_fold"] | (segmenter["out_of_fold"][segmenter["method"]] if segmenter else {}),
            "method": segmenter.get("method", "ensemble"),
            "n_labels": pixels["n_labels"],
            "seed": pixels["seed"],
            "wall_seconds": sum(float(cost["wall_seconds"]) for cost in [*costs, *painting]),
            "peak_memory_bytes": max(int(cost["peak_memory_bytes"]) for cost in costs),
            "device": costs[1]["device"],
        }
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{results}: a file of diffusion/, pixels/ or segmenter/ lacks {error}; run the workflow again"
        ) from error
    write_json(results / SCORES_FILE, scores)
    return scores


def write_cost(folder: Path, wall_seconds: float, peak_memory_bytes: int, device: str) -> None:
    """Write what a fit took to `folder`/cost.json."""
    content = {"wall_seconds": wall_seconds, "peak_memory_bytes": peak_memory_bytes, "device": device}
    write_json(folder / COST_FILE, content)


def _classes(measurements: Path, truth: Path) -> dict[str, dict[int, str]] | None:
    """Classes of the predicted objects, where the true ones have some."""
    if not (truth / CLASSES_FILE).is_file() or not measurements.is_file():
        return None
    texts = {"image": str, "class": str}  # "NA" is a name, too
    table = pd.read_csv(measurements, usecols=["image", "label", "class"], dtype=texts, keep_default_na=False)
    return {
        str(image): dict(zip(rows["label"], rows["class"], strict=True))
        for image, rows in table[table["class"] != ""].groupby("image")
    }
