"""The pixel ensemble and the segmenter side by side: each maps the image, and both propose its objects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import lcm

import torch
from torch import Tensor

from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.predict import Predictor
from fewstain.pixels.proposals import HeldOutMaps


class JointPredictor:
    """What the ensemble says of an image, and after it what the segmenter says; see `Predictor`."""

    def __init__(self, ensemble: Predictor, segmenter: Predictor) -> None:
        self.ensemble, self.segmenter = ensemble, segmenter
        self.multiple, self.classes, self.sources = lcm(ensemble.multiple, segmenter.multiple), ensemble.classes, 2

    def __call__(self, images: Tensor, origin: tuple[int, int], flips: bool = False) -> PixelMaps:
        """See `Predictor`."""
        return joint_maps(self.ensemble(images, origin, flips), self.segmenter(images, origin, flips))


def joint_maps(ensemble: PixelMaps, segmenter: PixelMaps) -> PixelMaps:
    """Put the ensemble's maps of an image and the segmenter's into one batch.

    A single network has no divergence from itself, so the segmenter's uncertainty is 0 here.
    """
    return PixelMaps(
        torch.cat([ensemble.probabilities, segmenter.probabilities]),
        torch.cat([ensemble.distance, segmenter.distance]),
        torch.cat([ensemble.uncertainty, torch.zeros_like(segmenter.uncertainty)]),
    )


def joint_held_out(ensemble: HeldOutMaps, segmenter: HeldOutMaps) -> HeldOutMaps:
    """Put both models' maps of the same windows and views together."""
    together = [
        [joint_maps(*each) for each in zip(*maps, strict=True)]
        for maps in ((ensemble.maps, segmenter.maps), (ensemble.view_maps, segmenter.view_maps))
    ]
    return replace(ensemble, maps=together[0], view_maps=together[1])


def joint_decoder(ensemble: Sequence[DecoderParameters], segmenter: Sequence[DecoderParameters]) -> Consensus:
    """Let the parameter sets of both propose objects, each on its own model's maps."""
    sources = (0,) * len(ensemble) + (1,) * len(segmenter)
    return Consensus((*ensemble, *segmenter), sources=sources)
