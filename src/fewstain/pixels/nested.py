"""Scores without a test set: every choice made anew without the windows it is scored on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewstain.evaluate.scores import ScoreSum
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.objects import object_classes
from fewstain.pixels.targets import INTERIOR
from fewstain.pixels.tune import decode_maps

Choose = Callable[[NDArray[np.bool_]], tuple[Sequence[PixelMaps], Consensus]]


def nested_sum(
    windows: Sequence[LabeledWindow],
    fold: NDArray[np.int64],
    choose: Choose,
    class_names: Sequence[str] = (),
) -> ScoreSum:
    """Score each fold with maps and decoder chosen on the other folds (Varma & Simon, BMC Bioinformatics 2006).

    Parameters
    ----------
    windows, fold
        Labeled windows and the fold of each.
    choose
        (windows,) bool, the windows to choose by -> held-out maps of all windows, and the decoder for them.
    class_names
        Names of the classes of objects, where there are some.

    Returns
    -------
    ScoreSum
        Of all windows, in the order of the folds; objects cut by a window's edge are left out. Each window stands for
        an image in it, and so does each piece of a large label (`dataset.label_pieces`).
    """
    total = ScoreSum()
    for number in range(int(fold.max()) + 1):
        held_out = fold == number
        chosen, decoder = choose(~held_out)
        for window, maps, inside in zip(windows, chosen, held_out, strict=True):
            if not inside:
                continue
            labels = decode_maps(maps, decoder)
            interior = maps.probabilities[0, INTERIOR:].float().cpu().numpy()
            found = object_classes(labels, interior, tuple(class_names)) if class_names else None
            true = {label: class_names[index] for label, index in window.class_of_label.items()} or None
            total.add(
                window.labels,
                labels,
                name=window.name,
                truth_classes=true,
                predicted_classes=found if true else None,
                ignore_edge=True,
            )
    return total


def scores_of(total: ScoreSum) -> dict[str, Any]:
    """Write a sum over windows as the records of models hold it.

    Returns
    -------
    dict
        `ScoreSum.scores`, in which count_bias and count_limits_95 are of a window, not of an image; n_windows, the same
        as n_images; AP50_standard_error.
    """
    scores = total.scores()
    return {**scores, "n_windows": scores["n_images"], "AP50_standard_error": total.standard_error()}
