"""Image files as a trained denoiser sees them, and back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate.state import PartialState
from torch import Tensor

from fewstain.diffusion.adapter import load_adapter
from fewstain.diffusion.latent.denoiser import load_latent_denoiser
from fewstain.diffusion.lora import merge_adapter
from fewstain.diffusion.network import Denoiser, is_latent, load_denoiser
from fewstain.diffusion.record import DenoiserRecord, check_image_kind, check_weights, read_record
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser, Range
from fewstain.images.read import namesakes, read_image, stem
from fewstain.images.write import write_image


def open_denoiser(
    folder: Path, adapter: Path | None = None, *, latent: bool = False
) -> tuple[Denoiser, DenoiserRecord]:
    """Read a denoiser and its record, the denoiser on the device to compute on.

    Parameters
    ----------
    folder
        Of the denoiser.
    adapter
        Folder of an adapter for another stain, to be merged into the denoiser; the record is then the adapter's, which
        tells of that stain's images.
    latent
        Whether one of latents will do: for those who ask it for `noise_channels` and `factor`, and have it `encode` and
        `decode`.

    Raises
    ------
    UserError
        If a folder holds none, or its weights are damaged or not its own; a denoiser of latents where pixels are
        needed, or with an adapter; an adapter of another denoiser.
    """
    welcome = latent and adapter is None and is_latent(folder)
    denoiser = load_latent_denoiser(folder) if welcome else load_denoiser(folder)
    record = read_record(folder)
    check_weights(folder, record)
    if adapter is not None:
        record = load_adapter(denoiser, folder, adapter)
        merge_adapter(denoiser)
    return denoiser.to(PartialState().device), record


@dataclass(frozen=True)
class Picture:
    """An image of the kind a denoiser was trained on.

    Attributes
    ----------
    name
        Its file's name, without extension.
    raw
        (H, W, C) intensities of the channels that the denoiser sees, in the file's dtype.
    range
        What of these became -1 and 1.
    planes
        (1, C, H, W) float32 in [-1, 1].
    normaliser
        That made `planes` of `raw`.
    pixel_size_um
        Side of a pixel in µm, where the file tells.
    """

    name: str
    raw: np.ndarray
    range: Range
    planes: Tensor
    normaliser: Normaliser
    pixel_size_um: float | None

    def write(self, path: Path, planes: Tensor) -> None:
        """Write (C, H, W) planes in [-1, 1] as a TIFF file in this image's own units, dtype and pixel size.

        Planes equal to its own are written as its raw intensities, which [-1, 1] cannot hold bit for bit.
        """
        same = torch.equal(planes, self.planes[0])
        pixels = self.raw if same else self.normaliser.restore(planes.numpy(), self.range, self.raw.dtype)
        write_image(path, pixels, self.pixel_size_um, rgb=self.normaliser.joint)


def read_picture(folder: Path, record: DenoiserRecord, path: Path) -> Picture:
    """Read an image file for the denoiser in `folder`.

    Raises
    ------
    UserError
        If it is unreadable, or not of the kind that the denoiser was trained on.
    """
    image = read_image(path)
    check_image_kind(folder, record, path, image.pixels.shape[-1], image.pixels.dtype)
    raw = image.pixels[..., list(record.channels)]
    limits = record.normaliser.range(raw)
    planes = torch.from_numpy(record.normaliser.apply(raw, limits))[None]
    return Picture(stem(path), raw, limits, planes, record.normaliser, image.pixel_size_um)


def check_outputs(paths: Sequence[Path], out: Path) -> None:
    """Raise UserError where results named after images would be written over the images, or over each other."""
    for path in paths:
        if path.resolve().parent == out.resolve():
            raise UserError(f"{out}: holds {path.name}, which may be written over; choose another folder for --out")
    for path, other in namesakes(paths):
        raise UserError(f"{path}: its result would have the same name as that of {other}; rename one of them")
