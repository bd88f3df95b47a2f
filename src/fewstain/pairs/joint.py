"""The pixel ensemble and the segmenter together: the weighted mean of what both say of an image."""

from __future__ import annotations

from dataclasses import replace
from math import lcm

import torch
from torch import Tensor

from fewstain.pixels.ensemble import PixelMaps, jensen_shannon
from fewstain.pixels.predict import Predictor
from fewstain.pixels.proposals import HeldOutMaps

SEGMENTER_SHARE = 0.3  # weight of the segmenter's maps beside the ensemble's; see docs/experiments.md

# Chance of an object that is kept. It was learned on the ensemble's maps; where the two models differ, their mean is
# fainter than either, and so is the chance. With the ensemble's own least chance too few objects were counted.
LEAST_CHANCE_OF_BOTH = 0.2


class JointPredictor:
    """The weighted mean of what the ensemble and the segmenter say of an image; see `Predictor`."""

    def __init__(self, ensemble: Predictor, segmenter: Predictor) -> None:
        self.ensemble, self.segmenter = ensemble, segmenter
        self.multiple, self.classes = lcm(ensemble.multiple, segmenter.multiple), ensemble.classes

    def __call__(self, images: Tensor, origin: tuple[int, int], flips: bool = False) -> PixelMaps:
        """See `Predictor` and `joint_maps`."""
        return joint_maps(self.ensemble(images, origin, flips), self.segmenter(images, origin, flips))


def joint_maps(ensemble: PixelMaps, segmenter: PixelMaps) -> PixelMaps:
    """Mean of both models' maps of an image; the segmenter's weigh `SEGMENTER_SHARE`, the ensemble's the rest to 1.

    Parameters
    ----------
    ensemble, segmenter
        Batches of one, of the same size and classes.

    Returns
    -------
    PixelMaps
        A batch of one, on the ensemble's device: weighted means of probabilities and distance, [0, 1]. The uncertainty
        is the Jensen-Shannon divergence of the ensemble's members and the segmenter, so weighted, nats: that of the
        members, by their weight, and that of the two models (Lin, IEEE Trans. Inf. Theory 1991, eq. 5.1).
    """
    # held out, the ensemble's were read from a file, and the segmenter's are where it was trained
    probabilities = segmenter.probabilities.to(ensemble.probabilities)
    apart = jensen_shannon(
        torch.stack([ensemble.probabilities, probabilities]), weights=(1 - SEGMENTER_SHARE, SEGMENTER_SHARE)
    )
    return PixelMaps(
        ensemble.probabilities.lerp(probabilities, SEGMENTER_SHARE),
        ensemble.distance.lerp(segmenter.distance.to(ensemble.distance), SEGMENTER_SHARE),
        (1 - SEGMENTER_SHARE) * ensemble.uncertainty + apart,
    )


def joint_held_out(ensemble: HeldOutMaps, segmenter: HeldOutMaps) -> HeldOutMaps:
    """Mean of both models' maps of the same windows and views; see `joint_maps`."""
    maps, view_maps = (
        [joint_maps(*each) for each in zip(*maps, strict=True)]
        for maps in ((ensemble.maps, segmenter.maps), (ensemble.view_maps, segmenter.view_maps))
    )
    return replace(ensemble, maps=maps, view_maps=view_maps)
