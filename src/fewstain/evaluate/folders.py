"""Scores of a folder of predicted label images against a folder of true ones."""

from __future__ import annotations

from pathlib import Path

from fewstain.dataset import CLASSES_FILE, Classes, by_stem, list_files, read_classes
from fewstain.errors import UserError
from fewstain.evaluate.scores import Scores, ScoreSum
from fewstain.images.read import LABEL_EXTENSIONS, read_labels


def evaluate_folders(truth_dir: Path, predicted_dir: Path, predicted_classes: Classes | None = None) -> Scores:
    """Score the label images of `predicted_dir` against those of the same stem in `truth_dir`.

    Parameters
    ----------
    truth_dir
        Label images, each of which must have a prediction; with a classes.csv, classes are scored too.
    predicted_dir
        Label images; those without a true one are not looked at.
    predicted_classes
        {stem: {label: class}} of the predictions; by default from a classes.csv in `predicted_dir`.

    Returns
    -------
    dict
        `ScoreSum.scores()`, and under "images" the rows of the single images.

    Raises
    ------
    UserError
        A missing or empty folder, two files of one stem, a true image without prediction, an unreadable file, images of
        different size.
    """
    truths = _label_files(truth_dir)
    predictions = _label_files(predicted_dir)
    missing = sorted(truths.keys() - predictions.keys())
    if missing:
        names = ", ".join(missing[:5]) + (", …" if len(missing) > 5 else "")
        raise UserError(f"{predicted_dir}: no prediction for {names}; segment these images, or remove their labels")
    truth_classes = read_classes(truth_dir / CLASSES_FILE)
    if predicted_classes is None:
        predicted_classes = read_classes(predicted_dir / CLASSES_FILE)
    total = ScoreSum()
    for name, path in truths.items():
        truth, predicted = read_labels(path), read_labels(predictions[name])
        if truth.shape != predicted.shape:
            raise UserError(
                f"{predictions[name]}: {_size(predicted.shape)} pixels, but {path} has {_size(truth.shape)}; "
                "both must be of the same image"
            )
        of_truth, of_prediction = truth_classes.get(name), predicted_classes.get(name)
        if truth_classes and predicted_classes:
            of_truth, of_prediction = of_truth or {}, of_prediction or {}
        total.add(truth, predicted, name=name, truth_classes=of_truth, predicted_classes=of_prediction)
    return {**total.scores(), "images": total.rows}


def _label_files(folder: Path) -> dict[str, Path]:
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give a folder of label images")
    files = list_files(folder, LABEL_EXTENSIONS)
    if not files:
        raise UserError(f"{folder}: no label images; put TIFF or PNG files there")
    return by_stem(files)


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} × {shape[1]}"
