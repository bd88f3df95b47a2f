"""What may segment, compared on windows that nothing of it has seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewstain.pairs.joint import joint_decoder, joint_maps
from fewstain.pairs.method import Method
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.nested import nested_scores
from fewstain.pixels.tune import DecoderTrials, decoder_candidates, try_decoders
from fewstain.pixels.windows import LabeledWindow
from fewstain.settings import SegmenterSettings


@dataclass(frozen=True)
class HeldOutMethod:
    """One method: its held-out maps of all windows, and what decoders made of each model's.

    Attributes
    ----------
    maps
        Of each window, a batch with each model's maps.
    trials
        Of each model.
    decoders
        How many of each model's vote.
    """

    maps: Sequence[PixelMaps]
    trials: tuple[DecoderTrials, ...]
    decoders: int

    def decoder(self, windows: NDArray[np.bool_] | None = None) -> Consensus:
        """Choose the decoder by (some of) the windows."""
        chosen = [trials.consensus(self.decoders, windows) for trials in self.trials]
        return chosen[0] if len(chosen) == 1 else joint_decoder(*chosen)

    def scores(
        self, windows: Sequence[LabeledWindow], fold: NDArray[np.int64], class_names: Sequence[str] = ()
    ) -> dict[str, Any]:
        """Score each fold with a decoder chosen on the others; see `nested_scores`."""
        return nested_scores(windows, fold, lambda chosen_by: (self.maps, self.decoder(chosen_by)), class_names)


def held_out_methods(
    windows: Sequence[LabeledWindow],
    ensemble: Sequence[PixelMaps],
    segmenter: Sequence[PixelMaps],
    settings: SegmenterSettings,
    seed: int,
) -> dict[Method, HeldOutMethod]:
    """Try the same decoders on the held-out maps of the ensemble and of the segmenter.

    Parameters
    ----------
    ensemble, segmenter
        Maps of each window by a model that has not seen it.
    """
    candidates = decoder_candidates(windows, settings.decoder_trials, seed)
    of_ensemble, of_segmenter = (try_decoders(maps, windows, candidates) for maps in (ensemble, segmenter))
    both = [joint_maps(*each) for each in zip(ensemble, segmenter, strict=True)]
    return {
        Method.both: HeldOutMethod(both, (of_ensemble, of_segmenter), settings.decoders),
        Method.ensemble: HeldOutMethod(ensemble, (of_ensemble,), settings.decoders),
        Method.segmenter: HeldOutMethod(segmenter, (of_segmenter,), settings.decoders),
    }


def best_method(scores: Mapping[Method, Mapping[str, Any]]) -> Method:
    """Choose by out-of-fold AP50; of equals both together, which depend less on the luck of one training."""
    return max((Method.both, Method.ensemble, Method.segmenter), key=lambda method: scores[method]["AP50"] or 0.0)
