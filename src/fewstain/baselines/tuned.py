"""A segmenter with our decoder, tuned on maps of windows that a like segmenter has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fewstain.baselines.segmenter import PixelSegmenter
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.folds import assign_folds
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.tune import tune_decoder
from fewstain.pixels.views import held_out_views
from fewstain.settings import PixelSettings

MOST_TUNING_WINDOWS = 100
"""Decoders are chosen by no more windows: a pool may have many hundred, and each costs 50 decodings."""


def tune_fitted(
    segmenter: PixelSegmenter, windows: Sequence[LabeledWindow], settings: PixelSettings, seed: int
) -> Consensus:
    """Choose the decoder of a segmenter that has learned from none of the windows, by its maps of them and of views.

    Parameters
    ----------
    segmenter
        Fitted, on other images.
    windows, settings, seed
        As of `tune_segmenter`.
    """
    held, views, _ = _held(windows, settings, seed)
    maps = [_map_inside(segmenter, window) for window in (*held, *views)]
    return choose_decoder(HeldOutMaps(held, maps[: len(held)], views, maps[len(held) :]), settings, seed)


def tune_segmenter(
    new: Callable[[], PixelSegmenter], windows: Sequence[LabeledWindow], settings: PixelSettings, seed: int
) -> Consensus:
    """Fit a segmenter without each fold, and choose the decoder by its maps of that fold and of views of it.

    Parameters
    ----------
    new
        Makes a segmenter, not fitted.
    windows
        Labeled windows, of several images.
    settings
        Folds, views, and the decoder's trials.
    seed
        Of folds, views and trials.
    """
    fold_of = assign_folds(windows, settings.folds, seed)
    held, views, chosen = _held(windows, settings, seed)
    maps, view_maps = out_of_fold_maps(new, windows, fold_of, held, fold_of[chosen], views)
    return choose_decoder(HeldOutMaps(held, maps, views, view_maps), settings, seed)


def out_of_fold_maps(
    new: Callable[[], PixelSegmenter],
    windows: Sequence[LabeledWindow],
    fold_of: np.ndarray,
    held: Sequence[LabeledWindow],
    fold_of_held: np.ndarray,
    views: Sequence[LabeledWindow],
) -> tuple[list[PixelMaps], list[PixelMaps]]:
    """Map windows, and views of them, without having learned from their fold.

    Parameters
    ----------
    windows, fold_of
        What is learned from, and the (len(windows),) fold of each.
    held, fold_of_held
        Some of them, which are mapped.
    views
        View i is of held window i % len(held).
    """
    maps: list[PixelMaps | None] = [None] * (len(held) + len(views))
    folds = np.resize(fold_of_held, len(maps))
    for fold in np.unique(folds):
        fitted = new().fit([window for window, of in zip(windows, fold_of, strict=True) if of != fold])
        for index in np.flatnonzero(folds == fold):
            maps[index] = _map_inside(fitted, (*held, *views)[index])
    done = [each for each in maps if each is not None]
    return done[: len(held)], done[len(held) :]


def _held(
    windows: Sequence[LabeledWindow], settings: PixelSettings, seed: int
) -> tuple[list[LabeledWindow], list[LabeledWindow], np.ndarray]:
    """Windows to choose the decoder by, their views, and which of all windows they are."""
    chosen = np.sort(np.random.default_rng(seed).permutation(len(windows))[:MOST_TUNING_WINDOWS])
    held = [windows[index] for index in chosen]
    return held, held_out_views(held, settings.decoder_views, seed), chosen


def _map_inside(segmenter: PixelSegmenter, window: LabeledWindow) -> PixelMaps:
    """Map a window in its surroundings, which are then cut off."""
    rows, columns = window.inside
    found = segmenter.predict(window.image.numpy())
    planes = (found.probabilities, found.distance, found.uncertainty)
    return PixelMaps(*(each[..., rows, columns] for each in planes))


def choose_decoder(held_out: HeldOutMaps, settings: PixelSettings, seed: int) -> Consensus:
    """Choose a decoder by maps of what was held out, with the trials and as many decoders as the settings say."""
    return tune_decoder(held_out, trials=settings.decoder_trials, decoders=settings.decoders, seed=seed)
