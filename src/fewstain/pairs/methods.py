"""What may segment, compared on windows that nothing of it has seen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fewstain.evaluate.scores import ScoreSum
from fewstain.pairs.joint import joint_held_out
from fewstain.pairs.method import Method
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.nested import nested_sum
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.tune import DecoderTrials, decoder_candidates, try_on_all
from fewstain.settings import SegmenterSettings

# With one, chance alone chooses another in one case of six. What led the ensemble out-of-fold, on two stains, was
# behind it on further windows (docs/accuracy.md).
SURE_LEAD = 2.0


@dataclass(frozen=True)
class HeldOutMethod:
    """One method: its held-out maps of all windows and their views, and what decoders made of them.

    Attributes
    ----------
    seen
        Maps of each window and view; both's are means, see `joint_maps`.
    trials
        Of parameter sets, on windows and views.
    decoders
        How many of the sets propose objects.
    """

    seen: HeldOutMaps
    trials: DecoderTrials
    decoders: int

    def decoder(self, windows: NDArray[np.bool_] | None = None) -> Consensus:
        """Choose the parameter sets by (some of) the windows, and teach them."""
        return self.seen.teach(Consensus(self.trials.best_sets(self.decoders, windows)), windows)

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
    """Try the same parameter sets on the held-out maps of each method.

    Parameters
    ----------
    ensemble, segmenter
        Maps of the same windows and views, by a model that has not seen them.
    settings, seed
        Which sets are tried.
    advance
        Called after each method.
    """
    candidates = decoder_candidates(ensemble.windows, settings.decoder_trials, seed)
    seen = {
        Method.both: joint_held_out(ensemble, segmenter),
        Method.ensemble: ensemble,
        Method.segmenter: segmenter,
    }
    found = {}
    for method, maps in seen.items():
        found[method] = HeldOutMethod(maps, try_on_all(maps, candidates), settings.decoders)
        advance()
    return found


def leads(scores: Mapping[Method, ScoreSum]) -> dict[Method, tuple[float, float]]:
    """How far each method's out-of-fold AP50 is ahead of the ensemble's, and the lead's standard error."""
    ensemble = scores[Method.ensemble]
    return {method: each.lead(ensemble) for method, each in scores.items() if method is not Method.ensemble}


def best_method(found: Mapping[Method, tuple[float, float]]) -> Method:
    """Choose the ensemble, unless another leads by more than `SURE_LEAD` standard errors of the lead; see `leads`.

    The ensemble's score is the one that nothing flatters: what the segmenter learns of the pool was labeled by an
    ensemble that has seen the held-out windows. Of those that lead by enough the one that leads most is chosen.
    """
    ahead = {method: lead for method, (lead, error) in found.items() if lead > SURE_LEAD * error}
    return max(ahead, key=ahead.__getitem__, default=Method.ensemble)
