"""From the pixels of one image, however large, to the ensemble's maps of it, tile by tile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.padding import pad_to_multiple
from fewstain.pixels.ensemble import PixelEnsemble, PixelMaps
from fewstain.pixels.features import FeatureExtractor
from fewstain.pixels.object_score import Maps as DecodedMaps
from fewstain.pixels.planes import Planes, zeros
from fewstain.pixels.targets import BACKGROUND, BOUNDARY
from fewstain.pixels.tiling import tiles
from fewstain.settings import SegmentSettings

FLIPS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


class Predictor(Protocol):
    """What maps a window of an image.

    Attributes
    ----------
    multiple
        Sides of windows are best multiples of it.
    classes
        Number K of pixel classes.
    """

    multiple: int
    classes: int

    def __call__(self, images: Tensor, origin: tuple[int, int], flips: bool = False) -> PixelMaps:
        """Map images.

        Parameters
        ----------
        images
            (1, C, H, W) in [-1, 1], of any size.
        origin
            Where in the whole image their top-left pixel lies.
        flips
            Average over the images and their mirror images.

        Returns
        -------
        PixelMaps
            A batch of one: (1, K, H, W) probabilities, (1, H, W) distance and uncertainty.
        """
        ...


class EnsemblePredictor:
    """Features, then the ensemble.

    Parameters
    ----------
    extractor, ensemble
        On the same device.
    """

    def __init__(self, extractor: FeatureExtractor, ensemble: PixelEnsemble) -> None:
        self.extractor, self.ensemble = extractor, ensemble
        self.multiple, self.classes = extractor.multiple, ensemble.classes

    @torch.inference_mode()
    def __call__(self, images: Tensor, origin: tuple[int, int], flips: bool = False) -> PixelMaps:
        """See `Predictor`; each mirror image has its own draw of noise."""
        padded = pad_to_multiple(images.to(self.ensemble.mean.device), self.multiple)
        found = [self._view(padded, origin, draw, flip) for draw, flip in enumerate(FLIPS if flips else FLIPS[:1])]
        mean = [
            torch.stack(planes).mean(0)[..., : images.shape[2], : images.shape[3]]
            for planes in zip(*found, strict=True)
        ]
        return PixelMaps(*mean)

    def _view(
        self, padded: Tensor, origin: tuple[int, int], draw: int, flip: tuple[int, ...]
    ) -> tuple[Tensor, Tensor, Tensor]:
        maps = self.extractor.maps(padded.flip(flip), origin, draw)
        found = self.ensemble.predict(maps, size=(padded.shape[2], padded.shape[3]))
        return found.probabilities.flip(flip), found.distance.flip(flip), found.uncertainty.flip(flip)


@dataclass(frozen=True)
class ImageMaps:
    """Maps of a whole image: K probabilities, distance and uncertainty.

    Attributes
    ----------
    planes
        (K + 2, H, W).
    """

    planes: Planes

    @classmethod
    def empty(cls, shape: tuple[int, int], predictor: Predictor, folder: Path | None = None) -> ImageMaps:
        """Make maps of zeros for what a predictor says: float32 in memory, or float16 in a file in `folder`."""
        dtype = np.float32 if folder is None else np.float16
        return cls(zeros((predictor.classes + 2, *shape), dtype, folder))

    @property
    def shape(self) -> tuple[int, int]:
        """(H, W)."""
        return self.planes.array.shape[1], self.planes.array.shape[2]

    @property
    def probabilities(self) -> NDArray[np.floating]:
        """(K, H, W) in [0, 1]: background, boundary, then the interior of each class of objects."""
        return self.planes.array[:-2]

    @property
    def distance(self) -> NDArray[np.floating]:
        """(H, W) normalised distance to the object's border, [0, 1]."""
        return self.planes.array[-2]

    @property
    def uncertainty(self) -> NDArray[np.floating]:
        """(H, W), nats: what the predictor gives for it, the ensemble the divergence of its members."""
        return self.planes.array[-1]

    def decodable(self) -> DecodedMaps:
        """Foreground, boundary and distance, as `Consensus.decode` takes them."""
        return 1 - self.probabilities[BACKGROUND], self.probabilities[BOUNDARY], self.distance

    def window(self, rows: slice, columns: slice) -> ImageMaps:
        """Copy a window into memory, float32."""
        return ImageMaps(Planes(self.planes.array[:, rows, columns].astype(np.float32)))

    def bands(self, height: int = 256) -> Iterator[ImageMaps]:
        """Walk down the image in bands of rows, in memory, letting each go after use."""
        for top in range(0, self.shape[0], height):
            yield self.window(slice(top, top + height), slice(None))
            self.planes.release()


def predict_maps(
    pixels: NDArray,
    normalise: Callable[[NDArray], NDArray[np.float32]],
    predictor: Predictor,
    settings: SegmentSettings,
    maps: ImageMaps,
    advance: Callable[[], None] | None = None,
) -> None:
    """Fill `maps` tile by tile.

    Parameters
    ----------
    pixels
        (H, W, C) raw intensities.
    normalise
        (h, w, C) raw window -> (C', h, w) float32 in [-1, 1], with the range of the whole image.
    predictor
        See `Predictor`.
    settings
        Tiles and flips.
    maps
        Zeros of the same height and width.
    advance
        Called after each tile.
    """
    for tile in tiles(maps.shape, settings.tile, settings.overlap, predictor.multiple):
        window = torch.from_numpy(np.ascontiguousarray(normalise(pixels[tile.rows, tile.columns])))
        found = predictor(window[None], tile.origin, settings.flips)
        maps.planes.array[:, tile.rows, tile.columns] += found.stacked() * tile.weight
        if tile.last_in_row:
            maps.planes.release()
        if advance:
            advance()
