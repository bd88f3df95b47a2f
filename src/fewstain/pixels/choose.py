"""Which timesteps and blocks the features come from: chosen by out-of-fold score, with the table behind the choice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.pixels.ensemble import PixelEnsemble, PixelMaps
from fewstain.pixels.folds import learnable
from fewstain.pixels.projection import Projection
from fewstain.pixels.table import PixelTable
from fewstain.pixels.training import train_ensemble
from fewstain.pixels.tune import DecoderTrials, decoder_candidates, try_decoders
from fewstain.pixels.windows import LabeledWindow
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
    """

    windows: Sequence[LabeledWindow]
    fold: NDArray[np.int64]
    projection: Projection
    table: PixelTable
    maps: Sequence[Sequence[Tensor]]
    keys: Sequence[tuple[int, str] | None]
    n_classes: int

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


def predict_held_out(
    features: LabeledFeatures, choice: FeatureChoice, settings: PixelSettings, seed: int
) -> list[PixelMaps]:
    """Train one small ensemble a fold, all in one pass, and map each window with the one that has not seen it."""
    n_folds = int(features.fold.max()) + 1
    allowed = [
        learnable(features.table, features.windows, features.fold, held_out)
        for held_out in range(n_folds)
        for _ in range(MEMBERS_PER_FOLD)
    ]
    columns, used = features.columns_of(choice), features.maps_of(choice)
    ensemble = train_ensemble(
        features.table, columns, allowed, features.n_classes, settings, seed=seed, device=features.device
    )
    found = []
    for window, maps, fold in zip(features.windows, features.maps, features.fold, strict=True):
        own = ensemble.select(range(int(fold) * MEMBERS_PER_FOLD, (int(fold) + 1) * MEMBERS_PER_FOLD))
        whole = own.predict([maps[index].float() for index in used], (window.image.shape[1], window.image.shape[2]))
        rows, columns_ = window.inside
        found.append(
            PixelMaps(
                whole.probabilities[..., rows, columns_],
                whole.distance[..., rows, columns_],
                whole.uncertainty[..., rows, columns_],
            )
        )
    return found


@dataclass(frozen=True)
class Candidate:
    """One choice of features, its held-out maps and what the decoders made of them."""

    choice: FeatureChoice
    maps: list[PixelMaps]
    trials: DecoderTrials

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

    def score(self, windows: NDArray[np.bool_] | None = None) -> float:
        """AP50 + AP of the best decoder on (some of) the windows."""
        best = self.trials.average_precision(windows)[self.trials.best(windows)]
        return float(best[0] + best.mean())


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
        maps = predict_held_out(features, choice, settings, seed)
        candidates.append(Candidate(choice, maps, try_decoders(maps, features.windows, decoders)))
        if advance:
            advance()
    return candidates


def winner(candidates: Sequence[Candidate], windows: NDArray[np.bool_] | None = None) -> Candidate:
    """Find the candidate to use: the first, unless another is better by more than the first's standard error.

    With a few dozen windows the scores of equally good choices differ by several hundredths; the first, all timesteps
    and blocks together, is the one that depends least on such luck (the one-standard-error rule of Breiman et al. 1984,
    section 3.4.3).

    Parameters
    ----------
    candidates
        All timesteps and blocks first.
    windows
        Count only these windows; all when None.
    """
    best = max(candidates, key=lambda each: each.score(windows))
    first = candidates[0]
    return best if best.score(windows) > first.score(windows) + first.trials.standard_error(windows) else first


def fit_final(features: LabeledFeatures, choice: FeatureChoice, settings: PixelSettings, seed: int) -> PixelEnsemble:
    """Train all members on all windows, and unfold the components into raw features."""
    everything = [torch.arange(len(features.table))] * settings.members
    columns = features.columns_of(choice)
    ensemble = train_ensemble(
        features.table, columns, everything, features.n_classes, settings, seed=seed, device=features.device
    )
    return features.projection.select(features.maps_of(choice)).unfold(ensemble.cpu())
