"""A segmenter with our decoder, tuned on maps of windows that a like segmenter has not seen."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from fewstain.baselines.segmenter import PixelSegmenter
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.folds import assign_folds
from fewstain.pixels.tune import tune_decoder
from fewstain.pixels.views import draw_view
from fewstain.pixels.windows import LabeledWindow
from fewstain.settings import PixelSettings

MOST_TUNING_WINDOWS = 100
"""Decoders are chosen by no more windows: a pool may have many hundred, and each costs 50 decodings."""


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
    rng = np.random.default_rng(seed)
    tuned = np.sort(rng.permutation(len(windows))[:MOST_TUNING_WINDOWS])
    held = [windows[index] for index in tuned]
    views = [draw_view(window, rng) for _ in range(settings.decoder_views) for window in held]
    maps, view_maps = out_of_fold_maps(new, windows, fold_of, held, fold_of[tuned], views)
    return tune_decoder(
        maps,
        held,
        trials=settings.decoder_trials,
        decoders=settings.decoders,
        seed=seed,
        view_maps=view_maps,
        views=views,
    )


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
            window = (*held, *views)[index]
            rows, columns = window.inside
            found = fitted.predict(window.image.numpy())
            maps[index] = PixelMaps(
                found.probabilities[..., rows, columns],
                found.distance[..., rows, columns],
                found.uncertainty[..., rows, columns],
            )
    done = [each for each in maps if each is not None]
    return done[: len(held)], done[len(held) :]
