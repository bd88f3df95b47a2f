"""The pixels the ensemble learns from: gathered from several views of each window, a few components each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.pixels.features import FeatureExtractor
from fewstain.pixels.gather import gather, most_pixels, stratified_pixels
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.projection import Projection, fit_projection
from fewstain.pixels.views import draw_view, part_view

PROJECTION_PIXELS = 256  # of each window, for finding the components


@dataclass(frozen=True)
class PixelTable:
    """Pixels of labeled windows.

    Attributes
    ----------
    features
        (N, D) float16 components.
    classes
        (N,) int64 pixel class.
    distance
        (N,) float32 normalised distance, NaN where unknown.
    window
        (N,) int64 index of the window.
    rows, columns
        (N,) int64 where in the source image the pixel lies.
    """

    features: Tensor
    classes: Tensor
    distance: Tensor
    window: Tensor
    rows: Tensor
    columns: Tensor

    def __len__(self) -> int:
        return len(self.classes)

    @classmethod
    def empty(cls, rows: int, components: int) -> PixelTable:
        """Make room for pixels, in one piece: small pieces kept between large ones passing by fragment the memory."""
        whole = [torch.empty(rows, dtype=torch.int64) for _ in range(4)]
        features, distance = torch.empty((rows, components), dtype=torch.float16), torch.empty(rows)
        return cls(features, whole[0], distance, *whole[1:])

    def put(self, row: int, part: PixelTable) -> int:
        """Copy the pixels of `part` in from a row on; returns their number."""
        for each in fields(self):
            getattr(self, each.name)[row : row + len(part)] = getattr(part, each.name)
        return len(part)

    def first(self, rows: int) -> PixelTable:
        """Return the first so many rows, in the same memory."""
        return PixelTable(**{each.name: getattr(self, each.name)[:rows] for each in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence[PixelTable]) -> PixelTable:
        """Put tables below each other."""
        return cls(**{each.name: torch.cat([getattr(part, each.name) for part in parts]) for each in fields(cls)})


def window_projection(
    extractor: FeatureExtractor, windows: Sequence[LabeledWindow], components: int, rng: np.random.Generator
) -> Projection:
    """Find the components of each map on a sample of the windows' pixels; full-resolution maps are kept whole.

    Of a large window they are sampled from a part.
    """
    samples: list[list[NDArray[np.float32]]] = []
    whole: list[bool] = []
    for window in (part_view(each, rng) for each in windows):
        maps = extractor.maps(window.image[None], window.origin)
        size = (window.image.shape[1], window.image.shape[2])
        whole = [(each.shape[2], each.shape[3]) == size for each in maps]
        rows, columns = (torch.from_numpy(rng.integers(0, side, PROJECTION_PIXELS)) for side in size)
        samples.append([gather([each], rows, columns, size).float().cpu().numpy() for each in maps])
    return fit_projection((np.concatenate(each) for each in zip(*samples, strict=True)), components, whole)


def sample_table(
    extractor: FeatureExtractor,
    projection: Projection,
    windows: Sequence[LabeledWindow],
    *,
    views: int,
    pixels_per_window: int,
    rng: np.random.Generator,
    advance: Callable[[], None] | None = None,
    view_of: Callable[[LabeledWindow, np.random.Generator], LabeledWindow] = draw_view,
) -> PixelTable:
    """Gather pixels of several views of each window; the first view is the window as it is.

    A view is turned, lit otherwise, crowded with copies and noised anew, so that the ensemble learns what does not
    matter, and what touching objects look like; see `draw_view`.
    Nothing but the sampled pixels is kept, once, and no map is ever upsampled.
    """
    most = most_pixels(pixels_per_window, max(int(window.targets.classes.max()) for window in windows))
    table, filled = PixelTable.empty(views * len(windows) * most, sum(projection.widths)), 0
    for view in range(views):
        for number, window in enumerate(windows):
            seen = view_of(window, rng) if view else window
            maps = projection.apply(extractor.maps(seen.image[None], seen.origin, draw=view))
            filled += table.put(filled, gather_pixels(maps, seen, number, pixels_per_window, rng))
        if advance:
            advance()
    return table.first(filled)


def gather_pixels(
    maps: Sequence[Tensor], window: LabeledWindow, number: int, n: int, rng: np.random.Generator
) -> PixelTable:
    """Gather about `n` pixels of a window, stratified, from its projected maps; `number` is the window's."""
    rows, columns = stratified_pixels(window.targets, n, rng)
    inside = torch.from_numpy(rows + window.top), torch.from_numpy(columns + window.left)
    distance = np.where(window.targets.distance_known, window.targets.distance, np.nan)
    return PixelTable(
        gather(maps, *inside, (window.image.shape[1], window.image.shape[2])).half().cpu(),
        torch.from_numpy(window.targets.classes[rows, columns]),
        torch.from_numpy(distance[rows, columns].astype(np.float32)),
        torch.full((len(rows),), number),
        torch.from_numpy(window.source_rows[rows, columns]),
        torch.from_numpy(window.source_columns[rows, columns]),
    )
