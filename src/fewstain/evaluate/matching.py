"""One-to-one matching of the objects of two label images, by intersection over union (IoU)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components


@dataclass(frozen=True)
class Overlap:
    """How many pixels every label of one image shares with every label of another, background (0) included.

    The table is sparse: `truth_index`, `predicted_index` (positions in `truth_labels`, `predicted_labels`) and `pixels`
    have one entry for each pair of labels that share a pixel. Areas are in pixels.
    """

    truth_labels: np.ndarray
    predicted_labels: np.ndarray
    truth_areas: np.ndarray
    predicted_areas: np.ndarray
    truth_index: np.ndarray
    predicted_index: np.ndarray
    pixels: np.ndarray

    def foreground(self) -> np.ndarray:
        """Which entries of the table are of two objects, none of them the background: (entries,) bool."""
        return (self.truth_labels[self.truth_index] > 0) & (self.predicted_labels[self.predicted_index] > 0)

    def ious(self) -> np.ndarray:
        """IoU of each entry of the table: (entries,) float64 in (0, 1]."""
        union = self.truth_areas[self.truth_index] + self.predicted_areas[self.predicted_index] - self.pixels
        return self.pixels / union


@dataclass(frozen=True)
class LeftOut:
    """Objects that count neither as found nor as missed or wrong, as positions in an Overlap's label lists.

    `truth` (T,) and `predicted` (P,) are bool. A left-out true object takes the prediction it is matched to with it;
    a left-out predicted object is no false positive, but may still find a true object.
    """

    truth: np.ndarray
    predicted: np.ndarray


@dataclass(frozen=True)
class Matching:
    """Counts and pairs at one IoU threshold; `pairs` (tp, 2) holds true and predicted label, `ious` (tp,) theirs."""

    tp: int
    fp: int
    fn: int
    pairs: np.ndarray
    ious: np.ndarray

    @property
    def n_truth(self) -> int:
        """Number of true objects that count."""
        return self.tp + self.fn

    @property
    def n_predicted(self) -> int:
        """Number of predicted objects that count."""
        return self.tp + self.fp


def best_ious(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """IoU of each object with the object of the other image most like it.

    Returns
    -------
    tuple
        For objects 1..n of `truth`, and for those of `predicted`, in the order of their labels: (n,) float64 in [0, 1].
    """
    overlap = label_overlap(truth, predicted)
    objects, ious = overlap.foreground(), overlap.ious()
    found = []
    for labels, index in (
        (overlap.truth_labels, overlap.truth_index),
        (overlap.predicted_labels, overlap.predicted_index),
    ):
        best = np.zeros(int(labels.max(initial=0)) + 1)
        np.maximum.at(best, labels[index][objects], ious[objects])
        found.append(best[1:])
    return found[0], found[1]


def match(
    truth: np.ndarray,
    predicted: np.ndarray,
    threshold: float = 0.5,
    *,
    ignore_edge: bool = False,
    ignore: np.ndarray | None = None,
) -> Matching:
    """Match true and predicted objects one to one.

    Two objects may be matched if their IoU is at least `threshold`. As many are matched as can be, and among these
    matchings one of the largest summed IoU is taken (as in stardist.matching; the assignment problem).

    Parameters
    ----------
    truth, predicted : (H, W) arrays of non-negative integers
        0 is background; labels need not be sequential.
    threshold : float
        In (0, 1].
    ignore_edge : bool
        Leave out the objects that touch the edge of the array, on both sides: a window cuts them.
    ignore : (H, W) bool, optional
        Leave out the objects that have a pixel here, on both sides.

    Raises
    ------
    ValueError
        On other dtypes, negative labels, different shapes or a threshold out of range.
    """
    overlap = label_overlap(truth, predicted)
    return match_overlap(overlap, threshold, left_out(truth, predicted, overlap, ignore_edge, ignore))


def label_overlap(truth: np.ndarray, predicted: np.ndarray) -> Overlap:
    """Count the pixels that each pair of labels shares; memory grows with the number of runs, not of pairs.

    Raises
    ------
    ValueError
        When one is no 2-D array of non-negative integers, or the shapes differ.
    """
    check_labels(truth, "truth")
    check_labels(predicted, "predicted")
    if truth.shape != predicted.shape:
        raise ValueError(f"truth {truth.shape} and predicted {predicted.shape} have different shapes")
    of_truth, of_predicted, pixels = _shared_pixels(truth, predicted)
    truth_labels, truth_index = np.unique(of_truth, return_inverse=True)
    predicted_labels, predicted_index = np.unique(of_predicted, return_inverse=True)
    return Overlap(
        truth_labels.astype(np.int64),
        predicted_labels.astype(np.int64),
        np.bincount(truth_index, pixels, len(truth_labels)).astype(np.int64),
        np.bincount(predicted_index, pixels, len(predicted_labels)).astype(np.int64),
        truth_index,
        predicted_index,
        pixels,
    )


def _shared_pixels(truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """List the pairs of labels that share pixels, and how many: their labels and the number, (pairs,) each."""
    flat_truth, flat_predicted = truth.ravel(), predicted.ravel()
    height, width = int(truth.max(initial=0)) + 1, int(predicted.max(initial=0)) + 1
    if height * width <= flat_truth.size:  # few labels, as in a window: a table of all pairs is soonest filled
        table = np.bincount(flat_truth.astype(np.intp) * width + flat_predicted)
        pairs = np.flatnonzero(table)
        return pairs // width, pairs % width, table[pairs]
    # Label images are constant over long runs: sort and count the runs, weighted by their length, not the pixels.
    changes = (flat_truth[1:] != flat_truth[:-1]) | (flat_predicted[1:] != flat_predicted[:-1])
    starts = np.concatenate([np.zeros(min(1, flat_truth.size), int), np.flatnonzero(changes) + 1])
    lengths = np.diff(starts, append=flat_truth.size)
    truth_labels, truth_runs = np.unique(flat_truth[starts], return_inverse=True)
    predicted_labels, predicted_runs = np.unique(flat_predicted[starts], return_inverse=True)
    runs = coo_array((lengths, (truth_runs, predicted_runs)), shape=(len(truth_labels), len(predicted_labels)))
    runs.sum_duplicates()
    return truth_labels[runs.coords[0]], predicted_labels[runs.coords[1]], runs.data


def match_overlap(overlap: Overlap, threshold: float = 0.5, left: LeftOut | None = None) -> Matching:
    """As `match`, from counted overlaps, so that several thresholds need one count."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold must be in (0, 1], not {threshold}")
    ious = overlap.ious()
    allowed = overlap.foreground() & (ious >= threshold)
    rows, columns, ious = _assign(overlap.truth_index[allowed], overlap.predicted_index[allowed], ious[allowed])
    missed = overlap.truth_labels > 0
    wrong = overlap.predicted_labels > 0
    missed[rows] = False
    wrong[columns] = False
    if left is not None:
        missed &= ~left.truth
        wrong &= ~(left.predicted | _mostly_inside(overlap, left.truth))
        counts = ~left.truth[rows]
        rows, columns, ious = rows[counts], columns[counts], ious[counts]
    pairs = np.stack([overlap.truth_labels[rows], overlap.predicted_labels[columns]], axis=1)
    return Matching(len(rows), int(wrong.sum()), int(missed.sum()), pairs, ious)


def left_out(
    truth: np.ndarray,
    predicted: np.ndarray,
    overlap: Overlap,
    ignore_edge: bool = False,
    ignore: np.ndarray | None = None,
) -> LeftOut | None:
    """Find the objects that touch the array's edge or the mask `ignore`; None when nothing is to be ignored."""
    if ignore is not None and (ignore.shape != truth.shape or ignore.dtype != bool):
        raise ValueError(f"ignore must be a bool array of shape {truth.shape}")
    if not ignore_edge and ignore is None:
        return None
    mask = np.zeros(truth.shape, bool) if ignore is None else ignore.copy()
    if ignore_edge and mask.size:
        mask[[0, -1], :] = True
        mask[:, [0, -1]] = True
    return LeftOut(
        np.isin(overlap.truth_labels, np.unique(truth[mask])),
        np.isin(overlap.predicted_labels, np.unique(predicted[mask])),
    )


def check_labels(labels: np.ndarray, name: str = "labels") -> None:
    """Raise ValueError unless `labels` is a 2-D array of non-negative integers."""
    if not isinstance(labels, np.ndarray) or labels.ndim != 2 or labels.dtype.kind not in "iu":
        shown = f"{labels.dtype} {labels.shape}" if isinstance(labels, np.ndarray) else type(labels).__name__
        raise ValueError(f"{name} must be a 2-D array of integers, not {shown}")
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise ValueError(f"{name} has negative labels")


def _assign(rows: np.ndarray, columns: np.ndarray, ious: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Largest one-to-one choice among the given pairs, of largest summed IoU among those.

    The assignment is solved for each connected group of pairs; above IoU 0.5 every group is a single pair.
    """
    if len(np.unique(rows)) == len(np.unique(columns)) == len(rows):
        return rows, columns, ious
    n_rows, n_columns = rows.max() + 1, columns.max() + 1
    size = n_rows + n_columns
    graph = coo_array((np.ones(len(rows), np.int8), (rows, columns + n_rows)), shape=(size, size))
    group = connected_components(graph, directed=False)[1][rows]
    order = np.argsort(group, kind="stable")
    chosen = []
    for entries in np.split(order, np.flatnonzero(np.diff(group[order])) + 1):
        if len(entries) == 1:
            chosen.append(entries)
            continue
        group_rows, i = np.unique(rows[entries], return_inverse=True)
        group_columns, j = np.unique(columns[entries], return_inverse=True)
        # The summed IoU weighs less than one more pair: it only decides between equally many.
        gain = np.zeros((len(group_rows), len(group_columns)))
        gain[i, j] = 1 + ious[entries] / (2 * min(gain.shape))
        entry = np.full(gain.shape, -1)
        entry[i, j] = entries
        found = entry[linear_sum_assignment(gain, maximize=True)]
        chosen.append(found[found >= 0])
    kept = np.sort(np.concatenate(chosen))
    return rows[kept], columns[kept], ious[kept]


def _mostly_inside(overlap: Overlap, truth: np.ndarray) -> np.ndarray:
    """Predicted objects with more than half of their pixels in the chosen true objects: (P,) bool."""
    inside = truth[overlap.truth_index] & (overlap.truth_labels[overlap.truth_index] > 0)
    pixels = np.bincount(overlap.predicted_index[inside], overlap.pixels[inside], len(overlap.predicted_labels))
    return pixels > 0.5 * overlap.predicted_areas
