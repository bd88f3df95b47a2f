"""A fitted model: kept in a results folder, loaded with one call, applied to one image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewstain.errors import UserError
from fewstain.images.read import read_image
from fewstain.pixels.blocks import decode_blocks
from fewstain.pixels.objects import object_classes, object_means
from fewstain.pixels.planes import Planes
from fewstain.pixels.predict import ImageMaps, Predictor, predict_maps
from fewstain.pixels.record import ONE_CLASS, PixelsRecord
from fewstain.pixels.targets import INTERIOR
from fewstain.settings import SegmentSettings


@dataclass(frozen=True)
class Segmentation:
    """What a model says of one image.

    Attributes
    ----------
    labels
        (H, W) int32, 0 = background, 1..n = objects.
    probabilities
        (K, H, W) float32: background, boundary, then the interior of each class of objects.
    uncertainty
        (H, W) float32 Jensen-Shannon divergence of the ensemble's members, and of the segmenter where both segment,
        nats; the entropy of its classes where the segmenter alone does.
    classes
        Label -> class; None where the labels had no classes.
    object_uncertainty
        Label -> mean uncertainty of the object's pixels, nats.
    object_confidence
        Label -> chance that the object is right, [0, 1]; see `fewstain.pixels.consensus.FoundObjects`.
    """

    labels: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    classes: dict[int, str] | None
    object_uncertainty: dict[int, float]
    object_confidence: dict[int, float]


@dataclass(frozen=True)
class Model:
    """What maps pixels, and the record of how its maps become objects; see `fewstain.load`.

    Attributes
    ----------
    predictor, record
        Of the ensemble, the segmenter or both.
    settings
        Tiles and flips, where none are given: those that the results folder was made with.
    """

    predictor: Predictor
    record: PixelsRecord
    settings: SegmentSettings = field(default_factory=SegmentSettings)

    @property
    def classes(self) -> tuple[str, ...] | None:
        """Names of the classes of objects, None where the labels had none."""
        return None if self.record.classes == ONE_CLASS else self.record.classes

    def segment(self, image: NDArray | Path | str, settings: SegmentSettings | None = None) -> Segmentation:
        """Find the objects of an image.

        Maps of the whole image are returned, so memory grows with its size: `segment_files` is for huge ones.

        Parameters
        ----------
        image
            A file, or (H, W) or (H, W, C) raw intensities with all channels the files had that the model was made for.
        settings
            Tiles and flips; the model's own when None.

        Raises
        ------
        UserError
            An unreadable file; another number of channels or type of pixels than the model was made for.
        """
        pixels = image_pixels(image)
        name = str(image) if isinstance(image, Path | str) else "the image"
        self.check_kind(name, pixels.shape[2], pixels.dtype)
        maps = ImageMaps.empty(pixels.shape[:2], self.predictor)
        self.predict(pixels, maps, settings or self.settings)
        labels = Planes(np.zeros(maps.shape, np.int32))
        classes: dict[int, str] = {}
        uncertainty: dict[int, float] = {}
        confidence: dict[int, float] = {}
        for block in decode_blocks(maps, self.record.decoder, labels):
            classes |= self.object_classes(block.labels, block.maps) or {}
            means = object_means(block.labels, block.maps.uncertainty[None])
            confidence |= block.confidence
            uncertainty |= {label: float(mean[0]) for label, mean in means.items()}
        named = None if self.classes is None else classes
        return Segmentation(labels.array, maps.probabilities, maps.uncertainty, named, uncertainty, confidence)

    def predict(
        self,
        pixels: NDArray,
        maps: ImageMaps,
        settings: SegmentSettings,
        advance: Callable[[], None] | None = None,
    ) -> None:
        """Fill the maps of a whole image; see `predict_maps`.

        Parameters
        ----------
        pixels
            (H, W, file_channels) raw intensities.
        maps
            Zeros of the same height and width.
        settings
            Tiles and flips.
        advance
            Called after each tile.
        """
        channels = list(self.record.channels)
        pixels = pixels if channels == list(range(pixels.shape[2])) else pixels[..., channels]
        limits = self.record.normaliser.range(pixels)
        predict_maps(
            pixels, lambda window: self.record.normaliser.apply(window, limits), self.predictor, settings, maps, advance
        )

    def object_classes(self, labels: NDArray[np.int32], maps: ImageMaps) -> dict[int, str] | None:
        """Class of each object, None where the labels had no classes."""
        if self.classes is None:
            return None
        return object_classes(labels, maps.probabilities[INTERIOR:], self.classes)

    def check_kind(self, name: str, channels: int, dtype: np.dtype) -> None:
        """Raise UserError where an image is not of the kind the model was made for."""
        record = self.record
        if channels != record.file_channels:
            raise UserError(
                f"{name}: has {_channels(channels)}, but the model was made for images with "
                f"{_channels(record.file_channels)}; save it so, or use a model of such images"
            )
        if dtype.newbyteorder("=") != np.dtype(record.dtype):
            raise UserError(
                f"{name}: its pixels are {dtype}, but the model was made for {record.dtype} images and knows their "
                f"contrast; save it as {record.dtype}, or use a model of such images"
            )


def image_pixels(image: NDArray | Path | str) -> NDArray:
    """(H, W, C) pixels of a file or an array.

    Raises
    ------
    UserError
        An unreadable file; an array that is no image.
    """
    if isinstance(image, Path | str):
        return read_image(image).pixels
    pixels = np.asarray(image)
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    if pixels.ndim != 3 or 0 in pixels.shape:
        raise UserError(f"the image: an array of shape {np.shape(image)}; give (H, W) or (H, W, C)")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UserError("the image: holds NaN or infinite values; replace them, for example by 0")
    return pixels


def _channels(count: int) -> str:
    return f"{count} channel" if count == 1 else f"{count} channels"
