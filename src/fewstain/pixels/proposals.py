"""What decoders propose on labeled windows, by maps of models that have not seen them: what a decoder is taught by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from fewstain.evaluate.matching import best_ious
from fewstain.pixels.consensus import Consensus, agreements
from fewstain.pixels.decode import DecoderParameters, decode
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.object_score import RIGHT, Describer, Maps, learn_score
from fewstain.pixels.targets import BACKGROUND, BOUNDARY


@dataclass(frozen=True)
class ProposedObjects:
    """What one decoder makes of a window: (H, W) labels 1..n, and of each object its features, without the agreement.

    `right` (n,) says whether it meets a labeled one, `whole` (n,) whether no edge cuts it.
    """

    labels: NDArray[np.integer]
    described: NDArray[np.float64]
    right: NDArray[np.bool_]
    whole: NDArray[np.bool_]


@dataclass(frozen=True)
class HeldOutMaps:
    """Labeled windows and views of them, and their maps by models that have not seen them.

    Attributes
    ----------
    windows, views
        View i is of window i % len(windows).
    maps, view_maps
        Of each window and view, cut to it: a batch of one.
    """

    windows: Sequence[LabeledWindow]
    maps: Sequence[PixelMaps]
    views: Sequence[LabeledWindow] = ()
    view_maps: Sequence[PixelMaps] = ()
    _proposed: dict[tuple[int, DecoderParameters], ProposedObjects] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def some(self, windows: NDArray[np.bool_] | None = None) -> list[tuple[LabeledWindow, PixelMaps]]:
        """List (some of) the windows, and then the views of these, with their maps."""
        both = zip((*self.windows, *self.views), (*self.maps, *self.view_maps), strict=True)
        chosen = np.ones(len(self.windows), np.bool_) if windows is None else windows
        return [each for number, each in enumerate(both) if chosen[number % len(self.windows)]]

    def teach(self, decoder: Consensus, windows: NDArray[np.bool_] | None = None) -> Consensus:
        """Teach a decoder which of its objects are right, by (some of) the windows and their views."""
        described, right = [], []
        for window, maps in self.some(windows):
            describe = Describer(decodable(maps))
            proposed = [self._propose(window, id(maps), describe, parameters) for parameters in decoder.decoders]
            for each, agreement in zip(proposed, agreements([each.labels for each in proposed]), strict=True):
                described.append(np.column_stack([agreement, each.described])[each.whole])
                right.append(each.right[each.whole])
        return replace(decoder, score=learn_score(np.concatenate(described), np.concatenate(right)))

    def _propose(
        self, window: LabeledWindow, maps: int, describe: Describer, parameters: DecoderParameters
    ) -> ProposedObjects:
        """Decode the maps of a window, once: the folds of nested scores mostly ask for the same."""
        key = maps, parameters
        if key not in self._proposed:
            labels = decode(*describe.maps, parameters)
            self._proposed[key] = ProposedObjects(
                labels.astype(np.min_scalar_type(int(labels.max(initial=0)))),  # many are held at once
                describe(labels),
                best_ious(window.labels, labels)[1] > RIGHT,
                _whole(labels),
            )
        return self._proposed[key]


def decodable(maps: PixelMaps) -> Maps:
    """Take of the maps of one image, a batch of one, what `decode` takes: foreground, boundary and distance, (H, W)."""
    probabilities = maps.probabilities[0].float().cpu().numpy()
    return 1 - probabilities[BACKGROUND], probabilities[BOUNDARY], maps.distance[0].float().cpu().numpy()


def _whole(labels: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which of the objects 1..n touch no edge, (n,)."""
    whole = np.ones(int(labels.max(initial=0)) + 1, np.bool_)
    for edge in (labels[0], labels[-1], labels[:, 0], labels[:, -1]):
        whole[edge] = False
    return whole[1:]
