"""The model of a results folder: the pixel ensemble, the segmenter, or both, whichever is asked for or was chosen."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from accelerate.state import PartialState
from safetensors import SafetensorError
from safetensors.torch import load_file

from fewstain.diffusion.network import load_denoiser
from fewstain.errors import UserError
from fewstain.pairs.joint import JointPredictor
from fewstain.pairs.method import Method
from fewstain.pairs.segmenter import SegmenterModule, SegmenterPredictor, build_segmenter
from fewstain.pairs.segmenter_record import RECORD_FILE, WEIGHTS_FILE, SegmenterRecord, read_segmenter_record
from fewstain.pixels.folder import load_pixels
from fewstain.pixels.model import Model
from fewstain.pixels.predict import Predictor
from fewstain.pixels.record import PixelsRecord, read_record
from fewstain.pixels.segment_file import read_segment_settings
from fewstain.settings import SegmentSettings
from fewstain.storage import sha256_file

FOLDER = "segmenter"


def load(
    results_dir: Path | str, device: torch.device | str | None = None, method: Method | str | None = None
) -> Model:
    """Load the model of a results folder, wherever it was moved.

    Parameters
    ----------
    results_dir
        Holds diffusion/ and pixels/, segmenter/ where one was trained, and segment.json, the settings its masks were
        made with, where there are some.
    device
        Where to compute; a GPU where there is one, when None.
    method
        "ensemble", "segmenter" or "both"; None for what `train-segmenter` chose (see `best_method`), the ensemble where
        there is no segmenter.

    Raises
    ------
    UserError
        Missing parts; damaged weights; weights that do not belong together; a fit on features that this version of
        fewstain does not compute.
    """
    results_dir = Path(results_dir)
    folder = results_dir / FOLDER
    if method is None and not (folder / RECORD_FILE).is_file():
        return load_pixels(results_dir, device)
    record = read_segmenter_record(folder) if method != Method.ensemble else None
    if record is None or (method is None and record.method is Method.ensemble):
        return load_pixels(results_dir, device)
    chosen = record.method if method is None else Method(method)
    pixels = read_record(results_dir / "pixels")
    if record.ensemble_sha256 != pixels.ensemble_sha256:
        raise UserError(
            f"{folder / RECORD_FILE}: its decoder was tuned beside another ensemble than the one in "
            f"{results_dir / 'pixels'}; run train-segmenter again"
        )
    place = torch.device(device) if device is not None else PartialState().device
    segmenter = load_segmenter(results_dir, record, pixels).to(place)
    predictor: Predictor = SegmenterPredictor(segmenter, autocast=pixels.autocast)
    if chosen is Method.both:
        predictor = JointPredictor(load_pixels(results_dir, place).predictor, predictor)
    hashed = replace(pixels, decoder=record.decoders[chosen], model_hash=record.compute_hash(chosen, pixels.classes))
    return Model(predictor, hashed, read_segment_settings(results_dir) or SegmentSettings())


def load_segmenter(results_dir: Path, record: SegmenterRecord, pixels: PixelsRecord) -> SegmenterModule:
    """Read the segmenter's weights into its network.

    Raises
    ------
    UserError
        Missing, damaged, or other weights than the record tells of.
    """
    path = results_dir / FOLDER / WEIGHTS_FILE
    if not path.is_file():
        raise UserError(f"{path}: no such file; run train-segmenter again, or restore it from a backup")
    segmenter = build_segmenter(load_denoiser(results_dir / "diffusion"), pixels.pixel_classes, record.settings)
    try:
        segmenter.load_state_dict(load_file(path))
    except (SafetensorError, RuntimeError, OSError) as fault:
        reason = str(fault).splitlines()[0]
        raise UserError(f"{path}: damaged, or of another network ({reason}); run train-segmenter again") from fault
    if sha256_file(path) != record.weights_sha256:
        raise UserError(f"{path}: not the weights that {RECORD_FILE} beside it tells of; run train-segmenter again")
    return segmenter.eval()
