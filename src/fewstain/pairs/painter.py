"""What train-painter makes: a denoiser of layouts, and a denoiser of images with a ControlNet that follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from fewstain.diffusion.control.network import Control
from fewstain.diffusion.control.painting import paint_conditions
from fewstain.diffusion.control.record import open_control
from fewstain.diffusion.draws import starting_noise
from fewstain.diffusion.levels import Predict
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import open_denoiser
from fewstain.diffusion.record import DenoiserRecord
from fewstain.diffusion.sampling import noise_shape, sample
from fewstain.errors import UserError
from fewstain.layout import layout_planes
from fewstain.pairs.layouts import LayoutModel, open_layouts
from fewstain.storage import read_json, write_json

FOLDER, RECORD_FILE = "painter", "painter.json"
LAYOUTS, DIFFUSION, CONTROL = "layouts", "diffusion", "control"
CONTENTS = {LAYOUTS, DIFFUSION, CONTROL, RECORD_FILE, ".snakemake_timestamp"}
METHOD = "ddim"  # without chance on the way, so that a pair is a function of the noise it starts from


@dataclass(frozen=True)
class PainterRecord:
    """painter.json: what the painter was made from.

    Attributes
    ----------
    denoiser_sha256
        Of the weight file of the denoiser that it began with.
    masks, labels
        Label images that layouts were learned from: the ensemble's masks, and those drawn by a person.
    wall_seconds
        Of the training, all sessions.
    version
        Of fewstain.
    """

    denoiser_sha256: str
    masks: int
    labels: int
    wall_seconds: float
    version: str

    def write(self, folder: Path) -> None:
        """Write `folder`/painter.json."""
        write_json(folder / RECORD_FILE, asdict(self))


def read_painter_record(folder: Path) -> PainterRecord:
    """Read `folder`/painter.json; UserError where there is none, or it is damaged."""
    if not (folder / RECORD_FILE).is_file():
        raise UserError(
            f"{folder / RECORD_FILE}: no such file, so there is no painter; run `fewstain train-painter "
            f"{folder.parent}` first"
        )
    try:
        return PainterRecord(**read_json(folder / RECORD_FILE))
    except TypeError as fault:
        raise UserError(f"{folder / RECORD_FILE}: damaged ({fault}); run train-painter again") from fault


class PainterNetwork(nn.Module):
    """A denoiser and its control, trained together: so short of training, a frozen denoiser paints too badly."""

    def __init__(self, denoiser: Denoiser, control: Control) -> None:
        super().__init__()
        self.denoiser = denoiser
        self.control = control

    def following(self, condition: Tensor, kept: Tensor) -> Predict:
        """Bind conditions (B, K, H, W) in [0, 1]; those not kept, (B,) bool, are painted by the denoiser alone."""

        def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
            share = kept.to(noisy.dtype)[:, None, None, None]
            down, middle = self.control(noisy, timestep, condition.to(noisy.dtype))
            residuals = [share.to(each.dtype) * each for each in down], share.to(middle.dtype) * middle
            predicted: Tensor = self.denoiser(noisy, timestep, residuals=residuals)
            return predicted

        return predict


@dataclass(frozen=True)
class Painter:
    """A trained painter, on the device to compute on.

    Attributes
    ----------
    layouts
        Samples layouts.
    denoiser, control, record
        Paint them; `record` is the denoiser's, and tells of the images it was trained on.
    """

    layouts: LayoutModel
    denoiser: Denoiser
    control: Control
    record: DenoiserRecord

    def paint(self, layouts: Sequence[NDArray[np.integer]], numbers: Sequence[int], seed: int, steps: int) -> Tensor:
        """Paint layouts (H, W) of one size as images (n, C, H, W) in [-1, 1], each a function of (seed, number)."""
        conditions = torch.from_numpy(np.stack([layout_planes(labels) for labels in layouts]))
        size = (conditions.shape[2], conditions.shape[3])
        noise = starting_noise(seed, numbers, noise_shape(self.denoiser, size))
        return paint_conditions(
            self.denoiser, self.control, conditions, steps=steps, seed=seed, method=METHOD, noise=noise,
            batch_size=len(layouts),
        )  # fmt: skip


def open_painter(results: Path) -> Painter:
    """Read the painter of a results folder.

    Parameters
    ----------
    results
        Holds painter/.

    Raises
    ------
    UserError
        If there is none, or its weights are damaged or not its own.
    """
    folder = results / FOLDER
    read_painter_record(folder)
    layouts = open_layouts(folder / LAYOUTS)
    denoiser, record = open_denoiser(folder / DIFFUSION)
    control, _ = open_control(folder / CONTROL, denoiser, folder / DIFFUSION)
    return Painter(layouts, denoiser, control, record)


def sample_images(denoiser: Denoiser, numbers: Sequence[int], size: tuple[int, int], seed: int, steps: int) -> Tensor:
    """Sample images (n, C, H, W) in [-1, 1], each a function of (seed, number)."""
    noise = starting_noise(seed, numbers, noise_shape(denoiser, size))
    return sample(
        denoiser, len(numbers), size, steps=steps, seed=seed, method=METHOD, noise=noise, batch_size=len(numbers)
    )
