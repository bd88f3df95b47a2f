"""Scores of predicted label images against true ones, over a whole set of images."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import numpy as np

from fewstain.evaluate.counts import count_agreement, relative_bias
from fewstain.evaluate.matching import LeftOut, Overlap, label_overlap, left_out, match_overlap

THRESHOLDS = tuple(step / 100 for step in range(50, 100, 5))
"""IoU thresholds that AP is averaged over: 0.5, 0.55, …, 0.95."""

BACKGROUND = "background"
FOREGROUND = "foreground"

Classes = Mapping[int, str]
Scores = dict[str, Any]


class ScoreSum:
    """Sums what scores are made of over images; `scores()` gives them at any time.

    All counts, intersections and unions are summed over the images before they are divided, so that an image weighs as
    much as the objects in it. A score whose denominator is 0 (no objects, neither true nor predicted) is None.
    """

    def __init__(self) -> None:
        self._counts = np.zeros((len(THRESHOLDS), 3), np.int64)  # TP, FP, FN
        self._matched_iou = 0.0
        self._aggregated = np.zeros(2, np.int64)  # intersection, union
        self._intersections: defaultdict[str, int] = defaultdict(int)
        self._unions: defaultdict[str, int] = defaultdict(int)
        self._n_truth: list[int] = []
        self._n_predicted: list[int] = []
        self.rows: list[Scores] = []

    def add(
        self,
        truth: np.ndarray,
        predicted: np.ndarray,
        *,
        name: str | None = None,
        truth_classes: Classes | None = None,
        predicted_classes: Classes | None = None,
        ignore_edge: bool = False,
        ignore: np.ndarray | None = None,
    ) -> None:
        """Add one image.

        Parameters
        ----------
        truth, predicted : (H, W) arrays of non-negative integers
            Instance labels, 0 = background.
        name : str, optional
            Adds a row with this image's own scores to `rows`.
        truth_classes, predicted_classes : mapping of label to class, optional
            The classes of the objects, for the IoU of each class. Without them all objects are "foreground"; true
            objects that are not in their mapping are of unknown class and left out of the classes' IoU.
        ignore_edge, ignore
            Objects to leave out of the instance scores, see `matching.match`.
        """
        overlap = label_overlap(truth, predicted)
        left = left_out(truth, predicted, overlap, ignore_edge, ignore)
        for index, threshold in enumerate(THRESHOLDS):
            matching = match_overlap(overlap, threshold, left)
            self._counts[index] += matching.tp, matching.fp, matching.fn
            if index == 0:
                self._matched_iou += float(matching.ious.sum())
                self._n_truth.append(matching.n_truth)
                self._n_predicted.append(matching.n_predicted)
        self._aggregated += aggregated_areas(overlap, left)
        _add_class_areas(overlap, truth_classes, predicted_classes, self._intersections, self._unions)
        if name is not None:
            own = ScoreSum()
            own.add(
                truth,
                predicted,
                truth_classes=truth_classes,
                predicted_classes=predicted_classes,
                ignore_edge=ignore_edge,
                ignore=ignore,
            )
            self.rows.append({"image": name, **own.image_scores()})

    def scores(self) -> Scores:
        """All scores of the images so far, as JSON takes them.

        AP50, AP
            TP / (TP + FP + FN) at IoU 0.5, and its mean over `THRESHOLDS` (as in the 2018 Data Science Bowl and
            stardist's "accuracy").
        PQ
            Panoptic quality at IoU 0.5: summed IoU of the matched / (TP + FP/2 + FN/2); Kirillov et al., CVPR 2019,
            eq. 1.
        AJI
            Aggregated Jaccard index; Kumar et al., IEEE TMI 2017, algorithm 1.
        F1
            2 TP / (2 TP + FP + FN) at IoU 0.5.
        mIoU, IoU
            Mean over classes of the pixels' IoU (background is one of them), and the IoU of each. A class without any
            pixel, true or predicted, is left out.
        count_bias, count_limits_95
            Mean of predicted − true objects an image, and its 95 % limits of agreement, see `counts.count_agreement`.
            Of whatever was added as an image: they grow with its size, and compare only where that is the same.
        count_relative_bias, count_relative_bias_95
            Predicted / true objects of all images − 1, and its 95 % interval, see `counts.relative_bias`.
        n_images, n_objects, n_predicted, TP, FP, FN
            Images, true objects, predicted objects, and their matching at IoU 0.5.
        """
        bias, limits = count_agreement(self._n_predicted, self._n_truth)
        relative, interval = relative_bias(self._n_predicted, self._n_truth)
        return {
            **self._instance_scores(),
            "count_bias": bias,
            "count_limits_95": None if limits is None else list(limits),
            "count_relative_bias": relative,
            "count_relative_bias_95": None if interval is None else list(interval),
            "n_images": len(self._n_truth),
            **self._counted(),
        }

    def standard_error(self, draws: int = 200) -> float:
        """Estimate AP50's standard error by bootstrap over the images that were added by name."""
        return float(self._drawn_ap50(draws).std())

    def lead(self, other: ScoreSum, draws: int = 200) -> tuple[float, float]:
        """How far AP50 is above another's on the same images, and that difference's standard error.

        Parameters
        ----------
        other
            The same images were added to it by name, in the same order: both are drawn alike (paired bootstrap).
        draws
            Of the bootstrap.
        """
        apart = self._drawn_ap50(draws) - other._drawn_ap50(draws)
        return (self.image_scores()["AP50"] or 0.0) - (other.image_scores()["AP50"] or 0.0), float(apart.std())

    def _drawn_ap50(self, draws: int) -> np.ndarray:
        counts = np.array([[row["TP"], row["FP"], row["FN"]] for row in self.rows])
        drawn = counts[np.random.default_rng(0).integers(len(counts), size=(draws, len(counts)))].sum(1)
        return drawn[:, 0] / np.maximum(drawn.sum(1), 1)

    def image_scores(self) -> Scores:
        """Score what a single image can be scored by: `scores` without n_images and the biases of counts."""
        return {**self._instance_scores(), **self._counted()}

    def _instance_scores(self) -> Scores:
        tp, fp, fn = (int(count) for count in self._counts[0])
        precisions = [_ratio(hits, hits + wrong + missed) for hits, wrong, missed in self._counts]
        mean = None if precisions[0] is None else float(np.mean([value for value in precisions if value is not None]))
        ious = {name: _ratio(self._intersections[name], union) for name, union in self._unions.items() if union}
        return {
            "AP50": precisions[0],
            "AP": mean,
            "PQ": _ratio(self._matched_iou, tp + fp / 2 + fn / 2),
            "AJI": _ratio(*self._aggregated),
            "F1": _ratio(2 * tp, 2 * tp + fp + fn),
            "mIoU": float(np.mean([value for value in ious.values() if value is not None])) if ious else None,
            "IoU": ious,
        }

    def _counted(self) -> Scores:
        tp, fp, fn = (int(count) for count in self._counts[0])
        return {"n_objects": tp + fn, "n_predicted": tp + fp, "TP": tp, "FP": fp, "FN": fn}


def aggregated_areas(overlap: Overlap, left: LeftOut | None = None) -> tuple[int, int]:
    """Intersection and union, in pixels, whose ratio is the aggregated Jaccard index (Kumar et al., 2017).

    Every true object adds its intersection and union with the predicted object of largest IoU, or its own area to the
    union if it meets none; predicted objects that were nobody's choice add their area to the union.
    """
    keep = overlap.foreground()
    true_objects = overlap.truth_labels > 0
    unused = overlap.predicted_labels > 0
    if left is not None:
        keep &= ~left.truth[overlap.truth_index]
        true_objects &= ~left.truth
        unused &= ~left.predicted
    rows, columns, pixels, ious = (
        values[keep] for values in (overlap.truth_index, overlap.predicted_index, overlap.pixels, overlap.ious())
    )
    order = np.lexsort((-ious, rows))
    best = order[np.unique(rows[order], return_index=True)[1]]
    rows, columns, pixels = rows[best], columns[best], pixels[best]
    union = int((overlap.truth_areas[rows] + overlap.predicted_areas[columns] - pixels).sum())
    true_objects[rows] = False
    unused[columns] = False
    union += int(overlap.truth_areas[true_objects].sum() + overlap.predicted_areas[unused].sum())
    return int(pixels.sum()), union


def _add_class_areas(
    overlap: Overlap,
    truth_classes: Classes | None,
    predicted_classes: Classes | None,
    intersections: defaultdict[str, int],
    unions: defaultdict[str, int],
) -> None:
    """Add each class's intersection and union in pixels; without both mappings objects are just foreground."""
    if truth_classes is None or predicted_classes is None:
        truth_classes = predicted_classes = None
    truth = _class_names(overlap.truth_labels, truth_classes)
    predicted = _class_names(overlap.predicted_labels, predicted_classes)
    for row, column, pixels in zip(overlap.truth_index, overlap.predicted_index, overlap.pixels, strict=True):
        true_class, predicted_class = truth[row], predicted[column]
        if true_class is None:
            continue
        unions[true_class] += int(pixels)
        if predicted_class == true_class:
            intersections[true_class] += int(pixels)
        elif predicted_class is not None:
            unions[predicted_class] += int(pixels)


def _class_names(labels: np.ndarray, classes: Classes | None) -> list[str | None]:
    names: list[str | None] = []
    for label in labels:
        if label == 0:
            names.append(BACKGROUND)
        else:
            names.append(FOREGROUND if classes is None else classes.get(int(label)))
    return names


def _ratio(numerator: float, denominator: float) -> float | None:
    return float(numerator / denominator) if denominator else None
