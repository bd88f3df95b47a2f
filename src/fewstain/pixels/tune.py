"""The decoder, chosen and taught by maps of windows that were held out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import ParameterSampler

from fewstain.evaluate.matching import label_overlap, left_out, match_overlap
from fewstain.evaluate.scores import THRESHOLDS
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters, decode, decode_each
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.proposals import HeldOutMaps, decodable
from fewstain.pixels.threads import in_threads

GRID = {
    "foreground_threshold": [0.4, 0.5, 0.6, 0.7, 0.8, 0.9],
    "smoothing": [0.05, 0.1, 0.15, 0.2, 0.3],
    "h": [0.02, 0.05, 0.1, 0.15],
    "boundary_weight": [0.0, 0.3, 0.6, 1.0],
    "shape_weight": [0.0, 0.2, 0.4, 0.6],
    "min_area": [0.2, 0.5, 0.8],  # times the area that a tenth of the objects do not reach
}


@dataclass(frozen=True)
class DecoderTrials:
    """Decoder parameters tried, and what each made of each window.

    Attributes
    ----------
    parameters
        The sets tried.
    counts
        (trials, windows, thresholds, 3) TP, FP, FN at each IoU threshold; objects cut by a window's edge left out.
    """

    parameters: tuple[DecoderParameters, ...]
    counts: NDArray[np.int64]

    def average_precision(self, windows: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
        """(trials, thresholds) TP / (TP + FP + FN), counts summed over (some of) the windows."""
        chosen = self.counts if windows is None else self.counts[:, windows]
        total = chosen.sum(1)
        return total[..., 0] / np.maximum(total.sum(-1), 1)

    def best(self, windows: NDArray[np.bool_] | None = None) -> int:
        """Index of the trial with the highest AP50 + AP."""
        precision = self.average_precision(windows)
        return int(np.argmax(precision[:, 0] + precision.mean(1)))

    def best_sets(self, n: int, windows: NDArray[np.bool_] | None = None) -> tuple[DecoderParameters, ...]:
        """List the sets with the highest AP50 + AP, the best first: `n` at most, none worse by two standard errors."""
        precision = self.average_precision(windows)
        score = precision[:, 0] + precision.mean(1)
        order = np.argsort(-score, kind="stable")[:n]
        good = order[score[order] >= score[order[0]] - 2 * self.standard_error(windows)]
        return tuple(self.parameters[index] for index in good)

    def standard_error(self, windows: NDArray[np.bool_] | None = None, draws: int = 200) -> float:
        """Estimate the standard error of the best trial's AP50 + AP, by bootstrap over (some of) the windows."""
        counts = (self.counts if windows is None else self.counts[:, windows])[self.best(windows)]
        drawn = np.random.default_rng(0).integers(len(counts), size=(draws, len(counts)))
        total = counts[drawn].sum(1)
        precision = total[..., 0] / np.maximum(total.sum(-1), 1)
        return float((precision[:, 0] + precision.mean(1)).std())

    def plus(self, other: DecoderTrials) -> DecoderTrials:
        """Add the counts of other maps of the same windows, on which the same parameters were tried."""
        return DecoderTrials(self.parameters, self.counts + other.counts)

    def summed(self, windows: int) -> DecoderTrials:
        """Sum the counts of the views of each window: view i is of window i % `windows`."""
        trials, views = self.counts.shape[:2]
        by_window = self.counts.reshape(trials, views // windows, windows, *self.counts.shape[2:])
        return DecoderTrials(self.parameters, by_window.sum(1))

    def rows(self) -> list[dict[str, float]]:
        """One row a trial, best first: its parameters, AP50 and AP."""
        precision = self.average_precision()
        rows = [
            asdict(parameters) | {"AP50": float(each[0]), "AP": float(each.mean())}
            for parameters, each in zip(self.parameters, precision, strict=True)
        ]
        return sorted(rows, key=lambda row: -(row["AP50"] + row["AP"]))


def decoder_candidates(windows: Sequence[LabeledWindow], n: int, seed: int = 0) -> tuple[DecoderParameters, ...]:
    """Draw parameter sets; sizes are in terms of the labeled objects that no window cuts. The defaults come first."""
    areas = _whole_areas(windows)
    small, large = np.quantile(areas, [0.1, 0.95]) if len(areas) else (20.0, 400.0)
    base = DecoderParameters(min_area=0.5 * float(small), max_radius=float(np.sqrt(large / np.pi)))
    drawn = ParameterSampler(GRID, n - 1, random_state=seed) if n > 1 else []
    return base, *(replace(base, **{**each, "min_area": each["min_area"] * float(small)}) for each in drawn)


def try_decoders(
    maps: Sequence[PixelMaps], windows: Sequence[LabeledWindow], candidates: Sequence[DecoderParameters]
) -> DecoderTrials:
    """Decode every window with every parameter set and count what matches.

    Parameters
    ----------
    maps
        Of each window, as batches of one, cut to the window; made by an ensemble that has not seen it.
    windows
        Labeled windows.
    candidates
        Parameter sets.
    """

    def counts(seen: tuple[LabeledWindow, PixelMaps]) -> list[list[tuple[int, int, int]]]:
        window, own = seen
        return [_counts(window.labels, labels) for labels in decode_each(*decodable(own), candidates)]

    counted = np.array(in_threads(counts, zip(windows, maps, strict=True)))
    by_candidate = counted.reshape(len(windows), len(candidates), len(THRESHOLDS), 3).swapaxes(0, 1)
    return DecoderTrials(tuple(candidates), np.ascontiguousarray(by_candidate))


def try_on_all(held_out: HeldOutMaps, candidates: Sequence[DecoderParameters]) -> DecoderTrials:
    """Try parameter sets on windows and views; the counts of views are added to their windows'."""
    tried = try_decoders(held_out.maps, held_out.windows, candidates)
    if not held_out.views:
        return tried
    on_views = try_decoders(held_out.view_maps, held_out.views, candidates)
    return tried.plus(on_views.summed(len(held_out.windows)))


def tune_decoder(held_out: HeldOutMaps, *, trials: int, decoders: int, seed: int = 0) -> Consensus:
    """Find the `decoders` best of `trials` parameter sets by AP50 + AP, and teach them which objects are right."""
    tried = try_on_all(held_out, decoder_candidates(held_out.windows, trials, seed))
    return held_out.teach(Consensus(tried.best_sets(decoders)))


def decode_maps(maps: PixelMaps, decoder: DecoderParameters | Consensus) -> NDArray[np.int32]:
    """Decode the maps of one image, a batch of one -> (H, W) labels 1..n, 0 = background."""
    planes = decodable(maps)
    return decoder.decode(planes).labels if isinstance(decoder, Consensus) else decode(*planes, decoder)


def _whole_areas(windows: Sequence[LabeledWindow]) -> NDArray[np.int64]:
    """Areas of the objects that no window's edge cuts, pixels."""
    areas = [np.bincount((window.labels * window.targets.distance_known).ravel())[1:] for window in windows]
    together = np.concatenate(areas) if areas else np.zeros(0, np.int64)
    return together[together > 0]


def _counts(truth: NDArray[np.integer], predicted: NDArray[np.integer]) -> list[tuple[int, int, int]]:
    overlap = label_overlap(truth, predicted)
    left = left_out(truth, predicted, overlap, True, None)
    found = (match_overlap(overlap, threshold, left) for threshold in THRESHOLDS)
    return [(each.tp, each.fp, each.fn) for each in found]
