"""What may segment, compared on windows that nothing of it has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewstain.evaluate.scores import ScoreSum
from fewstain.pairs.joint import LEAST_CHANCE_OF_BOTH, joint_held_out
from fewstain.pairs.method import Method
from fewstain.pixels.consensus import LEAST_CHANCE, Consensus
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.nested import nested_sum
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.tune import DecoderTrials, decoder_candidates, try_on_all
from fewstain.settings import SegmenterSettings

# Ahead of the ensemble alone on whole images of the pools of three stains (docs/accuracy.md)
USUAL = Method.both

# With one, chance alone chooses another in one case of six. What led out-of-fold by less, on two stains, was behind on
# further windows.
SURE_LEAD = 2.0


@dataclass(frozen=True)
class HeldOutMethod:
    """One method: its held-out maps of all windows and their views, and what its decoder is chosen by.

    Attributes
    ----------
    seen
        Maps of each window and view; both's are means, see `joint_maps`.
    taught
        Maps that the decoder is chosen by. Those of the ensemble for both, too: chosen by the means, it was worse on
        other images of one stain, and no better on another (docs/experiments.md).
    trials
        Of parameter sets, on windows and views, with these maps.
    decoders
        How many of the sets propose objects.
    least_chance
        Chance of an object that is kept.
    """

    seen: HeldOutMaps
    taught: HeldOutMaps
    trials: DecoderTrials
    decoders: int
    least_chance: float = LEAST_CHANCE

    def decoder(self, windows: NDArray[np.bool_] | None = None) -> Consensus:
        """Choose the parameter sets by (some of) the windows, and teach them."""
        untaught = Consensus(self.trials.best_sets(self.decoders, windows), least_chance=self.least_chance)
        return self.taught.teach(untaught, windows)

    def scores(self, fold: NDArray[np.int64], class_names: Sequence[str] = ()) -> ScoreSum:
        """Score each fold with a decoder chosen on the others; see `nested_sum`."""

        def choose(windows: NDArray[np.bool_]) -> tuple[Sequence[PixelMaps], Consensus]:
            return self.seen.maps, self.decoder(windows)

        return nested_sum(self.seen.windows, fold, choose, class_names)


def held_out_methods(
    ensemble: HeldOutMaps,
    segmenter: HeldOutMaps,
    settings: SegmenterSettings,
    seed: int,
    advance: Callable[[], None] = lambda: None,
) -> dict[Method, HeldOutMethod]:
    """Try the same parameter sets on the held-out maps of the ensemble and of the segmenter.

    Parameters
    ----------
    ensemble, segmenter
        Maps of the same windows and views, by a model that has not seen them.
    settings, seed
        Which sets are tried.
    advance
        Called after each of the two.
    """
    candidates = decoder_candidates(ensemble.windows, settings.decoder_trials, seed)
    of_ensemble = try_on_all(ensemble, candidates)
    advance()
    of_segmenter = try_on_all(segmenter, candidates)
    advance()
    both = joint_held_out(ensemble, segmenter)
    return {
        Method.both: HeldOutMethod(both, ensemble, of_ensemble, settings.decoders, LEAST_CHANCE_OF_BOTH),
        Method.ensemble: HeldOutMethod(ensemble, ensemble, of_ensemble, settings.decoders),
        Method.segmenter: HeldOutMethod(segmenter, segmenter, of_segmenter, settings.decoders),
    }


def leads(scores: Mapping[Method, ScoreSum]) -> dict[Method, tuple[float, float]]:
    """How far each other method's out-of-fold AP50 is ahead of that of `USUAL`, and the lead's standard error."""
    usual = scores[USUAL]
    return {method: each.lead(usual) for method, each in scores.items() if method is not USUAL}


def best_method(found: Mapping[Method, tuple[float, float]]) -> Method:
    """Choose `USUAL`, unless another leads by more than `SURE_LEAD` standard errors of the lead; see `leads`.

    Of those that lead by enough the one that leads most is chosen.
    """
    ahead = {method: lead for method, (lead, error) in found.items() if lead > SURE_LEAD * error}
    return max(ahead, key=ahead.__getitem__, default=USUAL)


def reason(method: Method, found: Mapping[str, Sequence[float]]) -> str:
    """Say why a method was chosen by these leads; see `best_method`."""
    sure = f"by more than {SURE_LEAD:g} standard errors of the lead"
    if method is USUAL:
        return f"no other leads out-of-fold {sure}"
    lead, error = found[method]
    return f"it leads {USUAL} out-of-fold by {lead:+.3f} ± {error:.3f}, {sure}"
