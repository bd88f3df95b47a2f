"""A fitted model: kept in a results folder, loaded with one call, applied to one image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from accelerate.state import PartialState
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fewstain.diffusion.network import load_denoiser
from fewstain.errors import UserError
from fewstain.images.read import read_image
from fewstain.pixels.blocks import decode_blocks
from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.extractor import build_extractor
from fewstain.pixels.features import FeatureExtractor, block_names
from fewstain.pixels.objects import object_classes, object_means
from fewstain.pixels.planes import Planes
from fewstain.pixels.predict import EnsemblePredictor, ImageMaps, predict_maps
from fewstain.pixels.record import ONE_CLASS, RECORD_FILE, PixelsRecord, read_record
from fewstain.pixels.targets import INTERIOR
from fewstain.settings import SegmentSettings
from fewstain.storage import atomic_path, sha256_file

ENSEMBLE_FILE = "ensemble.safetensors"
DENOISER_WEIGHTS = Path("unet") / "diffusion_pytorch_model.safetensors"


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
        (H, W) float32 Jensen-Shannon divergence of the ensemble, nats.
    classes
        Label -> class; None where the labels had no classes.
    object_uncertainty
        Label -> mean uncertainty of the object's pixels, nats.
    object_agreement
        Label -> how far the decoders agree on the object, [0, 1]; see `fewstain.pixels.consensus.agreements`.
    """

    labels: NDArray[np.int32]
    probabilities: NDArray[np.float32]
    uncertainty: NDArray[np.float32]
    classes: dict[int, str] | None
    object_uncertainty: dict[int, float]
    object_agreement: dict[int, float]


@dataclass(frozen=True)
class Model:
    """Feature extractor, ensemble, and the record that binds them; see `load`."""

    extractor: FeatureExtractor
    ensemble: PixelEnsemble
    record: PixelsRecord

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
            Tiles and flips; the defaults when None.

        Raises
        ------
        UserError
            An unreadable file; another number of channels or type of pixels than the model was made for.
        """
        pixels = image_pixels(image)
        name = str(image) if isinstance(image, Path | str) else "the image"
        self.check_kind(name, pixels.shape[2], pixels.dtype)
        maps = ImageMaps.empty(pixels.shape[:2], self.ensemble.classes)
        self.predict(pixels, maps, settings or SegmentSettings())
        labels = Planes(np.zeros(maps.shape, np.int32))
        classes: dict[int, str] = {}
        uncertainty: dict[int, float] = {}
        agreement: dict[int, float] = {}
        for block in decode_blocks(maps, self.record.decoder, labels):
            classes |= self.object_classes(block.labels, block.maps) or {}
            means = object_means(block.labels, block.maps.uncertainty[None])
            agreement |= block.agreement
            uncertainty |= {label: float(mean[0]) for label, mean in means.items()}
        named = None if self.classes is None else classes
        return Segmentation(labels.array, maps.probabilities, maps.uncertainty, named, uncertainty, agreement)

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
        predictor = EnsemblePredictor(self.extractor, self.ensemble, settings.flips)
        predict_maps(
            pixels, lambda window: self.record.normaliser.apply(window, limits), predictor, settings, maps, advance
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


def save_pixels(folder: Path, ensemble: PixelEnsemble, record: PixelsRecord, diffusion_dir: Path) -> PixelsRecord:
    """Write `folder`/ensemble.safetensors and, last, `folder`/pixels.json.

    Parameters
    ----------
    folder
        Made where it is missing.
    ensemble
        Fitted.
    record
        Without hashes.
    diffusion_dir
        Folder of the denoiser whose features the ensemble was fitted on.

    Returns
    -------
    PixelsRecord
        With its hashes, as written.
    """
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in ensemble.state_dict().items()}
    with atomic_path(folder / ENSEMBLE_FILE) as temporary:
        save_file(tensors, temporary)
    hashed = replace(
        record,
        denoiser_sha256=sha256_file(diffusion_dir / DENOISER_WEIGHTS),
        ensemble_sha256=sha256_file(folder / ENSEMBLE_FILE),
    )
    hashed = replace(hashed, model_hash=hashed.compute_hash())
    hashed.write(folder)
    return hashed


def load(results_dir: Path | str, device: torch.device | str | None = None) -> Model:
    """Load the model of a results folder, wherever it was moved.

    Parameters
    ----------
    results_dir
        Holds diffusion/ and pixels/.
    device
        Where to compute; a GPU where there is one, when None.

    Raises
    ------
    UserError
        Missing parts; damaged weights; weights that do not belong together; a fit on features that this version of
        fewstain does not compute.
    """
    results_dir = Path(results_dir)
    if not results_dir.is_dir():
        raise UserError(f"{results_dir}: no such folder; give the results folder of a dataset, results/<dataset>")
    denoiser_dir, pixels_dir = results_dir / "diffusion", results_dir / "pixels"
    denoiser = load_denoiser(denoiser_dir)
    record = read_record(pixels_dir)
    if sha256_file(denoiser_dir / DENOISER_WEIGHTS) != record.denoiser_sha256:
        raise UserError(
            f"{denoiser_dir / DENOISER_WEIGHTS}: not the denoiser that {pixels_dir / RECORD_FILE} was fitted on; "
            "run fit-pixels again, or restore the file from a backup"
        )
    unknown = set(record.blocks) - set(block_names(denoiser))
    if unknown or len(record.channels) != denoiser.image_channels:
        raise UserError(f"{pixels_dir / RECORD_FILE}: does not fit {denoiser_dir}; run fit-pixels again")
    place = torch.device(device) if device is not None else PartialState().device
    extractor = build_extractor(
        denoiser.to(place),
        record.timesteps,
        record.blocks,
        filters=record.filters,
        noise_draws=record.noise_draws,
        seed=record.seed,
        autocast=record.autocast,
    )
    with torch.inference_mode():
        tiny = torch.zeros(1, denoiser.image_channels, *(2 * [max(32, extractor.multiple)]), device=place)
        features = sum(each.shape[1] for each in extractor.maps(tiny, (0, 0)))
    if features != record.features:
        raise UserError(
            f"{pixels_dir / RECORD_FILE}: fitted on {record.features} features by fewstain "
            f"{record.versions.get('fewstain', 'of another version')}, but this one computes {features}; "
            "run fit-pixels again, or use that version"
        )
    ensemble = _load_ensemble(pixels_dir / ENSEMBLE_FILE, record).to(place).eval()
    return Model(extractor, ensemble, replace(record, model_hash=record.compute_hash()))  # the decoder may be edited


def _load_ensemble(path: Path, record: PixelsRecord) -> PixelEnsemble:
    if not path.is_file():
        raise UserError(f"{path}: no such file; run fit-pixels again, or restore it from a backup")
    ensemble = PixelEnsemble(record.members, record.features, record.pixel_classes, record.hidden)
    try:
        ensemble.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as fault:
        reason = str(fault).splitlines()[0]
        raise UserError(f"{path}: damaged, or of another model ({reason}); run fit-pixels again") from fault
    if sha256_file(path) != record.ensemble_sha256:
        raise UserError(f"{path}: not the weights that {RECORD_FILE} beside it tells of; run fit-pixels again")
    return ensemble


def _channels(count: int) -> str:
    return f"{count} channel" if count == 1 else f"{count} channels"
