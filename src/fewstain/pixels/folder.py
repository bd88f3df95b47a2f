"""The folder of a fitted ensemble: pixels/ensemble.safetensors and pixels/pixels.json."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from accelerate.state import PartialState
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fewstain.diffusion.network import load_denoiser
from fewstain.errors import UserError
from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.extractor import build_extractor
from fewstain.pixels.features import block_names
from fewstain.pixels.model import Model
from fewstain.pixels.predict import EnsemblePredictor
from fewstain.pixels.record import RECORD_FILE, PixelsRecord, read_record
from fewstain.pixels.segment_file import read_segment_settings
from fewstain.settings import SegmentSettings
from fewstain.storage import atomic_path, sha256_file

ENSEMBLE_FILE = "ensemble.safetensors"
HELD_OUT_FILE = "held-out.safetensors"  # maps of labeled windows by an ensemble that has not seen them
DENOISER_WEIGHTS = Path("unet") / "diffusion_pytorch_model.safetensors"


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


def load_pixels(results_dir: Path | str, device: torch.device | str | None = None) -> Model:
    """Load the pixel ensemble of a results folder, wherever it was moved.

    Parameters
    ----------
    results_dir
        Holds diffusion/ and pixels/, and maybe segment.json, which tells the settings to segment with.
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
    hashed = replace(record, model_hash=record.compute_hash())  # the decoder may be edited
    return Model(
        EnsemblePredictor(extractor, ensemble), hashed, read_segment_settings(results_dir) or SegmentSettings()
    )


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
