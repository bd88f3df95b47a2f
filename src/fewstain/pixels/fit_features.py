"""From labeled windows and any feature extractor to a fitted ensemble, with every choice made out-of-fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fewstain.errors import UserError
from fewstain.pixels.choose import (
    Candidate,
    FeatureChoice,
    LabeledFeatures,
    compare_choices,
    fit_final,
    tune_winners,
)
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelEnsemble, PixelMaps
from fewstain.pixels.features import FeatureExtractor
from fewstain.pixels.folds import MARGIN, assign_folds, learnable, spatially_blocked
from fewstain.pixels.held_out import winner
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.nested import nested_sum, scores_of
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.table import sample_table, window_projection
from fewstain.pixels.views import held_out_views
from fewstain.settings import PixelSettings


@dataclass(frozen=True)
class FittedPixels:
    """An ensemble on raw features, what was chosen for it, and why.

    `choices` has the tables behind the choices: features, decoder, folds. `out_of_fold` are the nested scores, and
    `held_out` the maps of each window, and of views of it, by an ensemble on these features that has not seen it.
    """

    ensemble: PixelEnsemble
    choice: FeatureChoice
    decoder: Consensus
    choices: dict[str, Any]
    out_of_fold: dict[str, Any]
    held_out: HeldOutMaps


def extracted_features(
    windows: Sequence[LabeledWindow],
    extractor: FeatureExtractor,
    keys: Sequence[tuple[int, str] | None],
    settings: PixelSettings,
    *,
    n_classes: int,
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> LabeledFeatures:
    """Compute what is learned from, once for all candidates.

    Parameters
    ----------
    windows
        Labeled windows.
    extractor
        Gives one map for each of `keys`.
    keys
        (timestep, block) of each map; None for maps that every choice has.
    settings
        Numbers of the fit; those of the denoiser and the filters are not read.
    n_classes
        Pixel classes K.
    seed
        Of everything drawn.
    advance
        Called after each of `settings.views` rounds.

    Raises
    ------
    UserError
        The windows share an image and lie too close together to hold some of them out.
    """
    rng = np.random.default_rng(seed)
    projection = window_projection(extractor, windows, settings.components, rng)
    table = sample_table(
        extractor,
        projection,
        windows,
        views=settings.views,
        pixels_per_window=settings.pixels_of_each(len(windows)),
        rng=rng,
        advance=advance,
    )
    fold = assign_folds(windows, settings.folds, seed)
    if not all(len(learnable(table, windows, fold, held_out)) for held_out in range(int(fold.max()) + 1)):
        raise UserError(
            f"{windows[0].name}, {windows[1].name}, …: the labeled windows lie within {MARGIN} pixels of each other, "
            "so that none can be held out; label windows further apart, or in more images"
        )

    def project(window: LabeledWindow) -> list[Tensor]:
        return [each.half() for each in projection.apply(extractor.maps(window.image[None], window.origin))]

    return LabeledFeatures(
        windows,
        fold,
        projection,
        table,
        [project(window) for window in windows],
        keys,
        n_classes,
        held_out_views(windows, settings.decoder_views, seed),
        project,
    )


def fit_features(
    features: LabeledFeatures,
    choices: Sequence[FeatureChoice],
    settings: PixelSettings,
    *,
    class_names: Sequence[str] = (),
    seed: int = 0,
    advance: Callable[[], None] = lambda: None,
) -> FittedPixels:
    """Choose features and decoder out-of-fold, then fit the final ensemble to all windows.

    Parameters
    ----------
    features
        What is learned from.
    choices
        Which of the maps to use: what is compared. The first is kept unless another is clearly better, see `winner`.
    settings
        Numbers of the fit.
    class_names
        Of the classes of objects; empty where there is one kind.
    seed
        Of everything drawn.
    advance
        Called on the way, len(choices) + 2 times and once for each fold.
    """
    candidates = compare_choices(features, choices, settings, seed, advance)
    candidates = tune_winners(features, candidates)
    advance()
    best = winner(candidates)
    ensemble = fit_final(features, best.choice, settings, seed)
    advance()

    def choose(windows: NDArray[np.bool_]) -> tuple[Sequence[PixelMaps], Consensus]:
        own = winner(candidates, windows)
        decoder = own.decoder(settings.decoders, windows)
        advance()
        return own.seen.maps, decoder

    return FittedPixels(
        ensemble,
        best.choice,
        best.decoder(settings.decoders),
        _tables(features, candidates, best),
        scores_of(nested_sum(features.windows, features.fold, choose, class_names))
        | {"spatially_blocked": spatially_blocked(features.windows)},
        best.seen,
    )


def _tables(features: LabeledFeatures, candidates: Sequence[Candidate], best: Candidate) -> dict[str, Any]:
    """Tables behind the choices, as JSON takes them."""
    folds = zip(features.windows, features.fold, strict=True)
    return {
        "features": [each.row(each is best) for each in candidates],
        "decoder": best.decoder_trials.rows(),
        "folds": [{"window": window.name, "image": window.group, "fold": int(fold)} for window, fold in folds],
    }
