"""Scores without a test set: every choice made anew without the windows it is scored on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fewstain.evaluate.scores import ScoreSum
from fewstain.pixels.choose import Candidate, LabeledFeatures, winner
from fewstain.pixels.objects import object_classes
from fewstain.pixels.targets import INTERIOR
from fewstain.pixels.tune import decode_maps


def nested_scores(
    features: LabeledFeatures, candidates: Sequence[Candidate], decoders: int, class_names: Sequence[str] = ()
) -> dict[str, Any]:
    """Score each fold with features and decoder chosen on the other folds (Varma & Simon, BMC Bioinformatics 2006).

    Parameters
    ----------
    features
        Windows and their folds.
    candidates
        Held-out maps and decoder trials of each choice of features.
    decoders
        How many are brought to agreement.
    class_names
        Names of the classes of objects, where there are some.

    Returns
    -------
    dict
        `ScoreSum.scores`; objects cut by a window's edge are left out.
    """
    total = ScoreSum()
    for fold in range(int(features.fold.max()) + 1):
        held_out = features.fold == fold
        best = winner(candidates, ~held_out)
        decoder = best.decoder(decoders, ~held_out)
        for window, maps, inside in zip(features.windows, best.maps, held_out, strict=True):
            if not inside:
                continue
            labels = decode_maps(maps, decoder)
            interior = maps.probabilities[0, INTERIOR:].float().cpu().numpy()
            found = object_classes(labels, interior, tuple(class_names)) if class_names else None
            true = {label: class_names[index] for label, index in window.class_of_label.items()} or None
            total.add(
                window.labels, labels, truth_classes=true, predicted_classes=found if true else None, ignore_edge=True
            )
    return total.scores()
