"""Which timesteps and blocks the features come from: chosen by out-of-fold score, with the table behind the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.pixels.ensemble import PixelEnsemble, PixelMaps
from fewstain.pixels.folds import learnable
from fewstain.pixels.held_out import HeldOut, winner
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.projection import Projection
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.table import PixelTable
from fewstain.pixels.training import train_ensemble
from fewstain.pixels.tune import decoder_candidates, try_decoders
from fewstain.settings import PixelSettings

MEMBERS_PER_FOLD = 2


@dataclass(frozen=True)
class FeatureChoice:
    """Timesteps and blocks of the denoiser; the classical filters are always there when they are switched on."""

    timesteps: tuple[int, ...]
    blocks: tuple[str, ...]


@dataclass(frozen=True)
class LabeledFeatures:
    """Everything that is learned from, computed once for all candidates.

    Attributes
    ----------
    windows, fold
        Labeled windows and the fold of each.
    projection, table
        Components of all maps, and the pixels gathered from them.
    maps
        Projected maps of each window as it is, for predicting it: (1, k_i, H_i, W_i) each.
    keys
        (timestep, block) of each map; None for the filters' map.
    n_classes
        Pixel classes K.
    views
        Views of the windows, as many of each as of any other, for tuning the decoder: view i is of window
        i % len(windows).
    project
        Projected maps of a view, made when asked for, so that those of all views are never held.
    """

    windows: Sequence[LabeledWindow]
    fold: NDArray[np.int64]
    projection: Projection
    table: PixelTable
    maps: Sequence[Sequence[Tensor]]
    keys: Sequence[tuple[int, str] | None]
    n_classes: int
    views: Sequence[LabeledWindow] = ()
    project: Callable[[LabeledWindow], Sequence[Tensor]] | None = None

    @property
    def device(self) -> torch.device:
        """Where the maps are, and the ensembles are trained."""
        return self.maps[0][0].device

    def maps_of(self, choice: FeatureChoice) -> list[int]:
        """Find the indices of the maps that a choice uses."""
        return [
            index
            for index, key in enumerate(self.keys)
            if key is None or (key[0] in choice.timesteps and key[1] in choice.blocks)
        ]

    def columns_of(self, choice: FeatureChoice) -> Tensor:
        """Find the columns of the table that a choice uses."""
        stops = np.cumsum(self.projection.widths)
        return torch.cat([torch.arange(stops[i] - self.projection.widths[i], stops[i]) for i in self.maps_of(choice)])


def candidate_choices(timesteps: Sequence[int], blocks: Sequence[str]) -> list[FeatureChoice]:
    """List what is compared: all timesteps together, each alone, and the finer and the coarser half of the blocks."""
    every, all_blocks = tuple(timesteps), tuple(blocks)
    half = len(blocks) // 2
    choices = [FeatureChoice(every, all_blocks)]
    choices += [FeatureChoice((each,), all_blocks) for each in timesteps] if len(timesteps) > 1 else []
    return [*choices, FeatureChoice(every, all_blocks[half:]), FeatureChoice(every, all_blocks[:half])]


def train_folds(
    features: LabeledFeatures, choice: FeatureChoice, settings: PixelSettings, seed: int
) -> list[PixelEnsemble]:
    """Train one small ensemble a fold, which has not seen its windows; all in one pass."""
    n_folds = int(features.fold.max()) + 1
    allowed = [
        learnable(features.table, features.windows, features.fold, held_out)
        for held_out in range(n_folds)
        for _ in range(MEMBERS_PER_FOLD)
    ]
    ensemble = train_ensemble(
        features.table,
        features.columns_of(choice),
        allowed,
        features.n_classes,
        settings,
        seed=seed,
        device=features.device,
    )
    return [ensemble.select(range(fold * MEMBERS_PER_FOLD, (fold + 1) * MEMBERS_PER_FOLD)) for fold in range(n_folds)]


def predict_held_out(
    features: LabeledFeatures, choice: FeatureChoice, ensembles: Sequence[PixelEnsemble]
) -> list[PixelMaps]:
    """Map each window with the one of `train_folds`' ensembles that has not seen it."""
    used = features.maps_of(choice)
    return [
        _map_window(ensembles[fold], window, [maps[index] for index in used])
        for window, maps, fold in zip(features.windows, features.maps, features.fold, strict=True)
    ]


def _map_window(ensemble: PixelEnsemble, window: LabeledWindow, maps: Sequence[Tensor]) -> PixelMaps:
    """Map a window in its surroundings, which are then cut off."""
    whole = ensemble.predict([each.float() for each in maps], (window.image.shape[1], window.image.shape[2]))
    return whole.cut(*window.inside)


@dataclass(frozen=True)
class Candidate(HeldOut):
    """One choice of features, its ensembles of `train_folds`, held-out maps and what the decoders made of them."""

    choice: FeatureChoice
    ensembles: Sequence[PixelEnsemble]

    def row(self, chosen: bool) -> dict[str, object]:
        """One row of the table behind the choice."""
        best = self.trials.average_precision()[self.trials.best()]
        return {
            "timesteps": list(self.choice.timesteps),
            "blocks": list(self.choice.blocks),
            "AP50": float(best[0]),
            "AP": float(best.mean()),
            "chosen": chosen,
        }


def compare_choices(
    features: LabeledFeatures,
    choices: Sequence[FeatureChoice],
    settings: PixelSettings,
    seed: int,
    advance: Callable[[], None] | None = None,
) -> list[Candidate]:
    """Map the held-out windows with each choice of features, and try the same decoders on all of them."""
    decoders = decoder_candidates(features.windows, settings.decoder_trials, seed)
    candidates = []
    for choice in choices:
        ensembles = train_folds(features, choice, settings, seed)
        maps = predict_held_out(features, choice, ensembles)
        trials = try_decoders(maps, features.windows, decoders)
        candidates.append(Candidate(HeldOutMaps(features.windows, maps), trials, choice=choice, ensembles=ensembles))
        if advance:
            advance()
    return candidates


def tune_winners(features: LabeledFeatures, candidates: Sequence[Candidate]) -> list[Candidate]:
    """Try the decoders of every candidate that wins, on all windows or without those of a fold, on held-out views too.

    Two dozen windows hold few objects that no edge cuts, and fewer that touch: by them alone the decoder is chosen as
    if by lot. What the views add is small beside that chance: in docs/accuracy.md's table of views the decoder chosen
    with them is as often worse as better on further windows.

    Returns
    -------
    list of Candidate
        In the order of `candidates`; those that never win are as they were.
    """
    if not features.views or features.project is None:
        return list(candidates)
    masks = [None, *(features.fold != held_out for held_out in range(int(features.fold.max()) + 1))]
    winners = [winner(candidates, mask) for mask in masks]
    winning = [index for index, each in enumerate(candidates) if any(each is best for best in winners)]
    found: list[list[PixelMaps]] = [[] for _ in winning]
    for number, view in enumerate(features.views):
        fold = int(features.fold[number % len(features.windows)])
        maps = features.project(view)
        for own, candidate in zip(found, (candidates[index] for index in winning), strict=True):
            used = features.maps_of(candidate.choice)
            own.append(_map_window(candidate.ensembles[fold], view, [maps[each] for each in used]))
    tuned = list(candidates)
    for own, index in zip(found, winning, strict=True):
        candidate = candidates[index]
        tried = try_decoders(own, features.views, candidate.trials.parameters)
        seen = replace(candidate.seen, views=features.views, view_maps=own)
        tuned[index] = replace(candidate, seen=seen, on_views=tried.summed(len(features.windows)))
    return tuned


def fit_final(features: LabeledFeatures, choice: FeatureChoice, settings: PixelSettings, seed: int) -> PixelEnsemble:
    """Train all members on all windows, and unfold the components into raw features."""
    everything = [torch.arange(len(features.table))] * settings.members
    columns = features.columns_of(choice)
    ensemble = train_ensemble(
        features.table, columns, everything, features.n_classes, settings, seed=seed, device=features.device
    )
    return features.projection.select(features.maps_of(choice)).unfold(ensemble.cpu())
