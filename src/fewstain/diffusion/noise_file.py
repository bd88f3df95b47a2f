"""The file that keeps the noise images were painted from, so that they can be painted again."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from fewstain.errors import UserError
from fewstain.storage import atomic_path

KEY = "noise"


def write_noise(path: Path, noise: Tensor) -> None:
    """Write (n, C, H, W) float32 noise as a safetensors file."""
    with atomic_path(path) as temporary:
        save_file({KEY: noise.contiguous()}, temporary)


def read_noise(path: Path, channels: int) -> Tensor:
    """Read noise that `write_noise` wrote.

    Parameters
    ----------
    channels
        How many the denoiser starts from: `noise_channels`.

    Returns
    -------
    Tensor
        (n, channels, H, W) float32, finite, n at least 1.

    Raises
    ------
    UserError
        If the file is absent, damaged, no noise, or noise for another number of channels.
    """
    remedy = "give a file that `fewstain sample` or `fewstain invert` wrote"
    try:
        noise = load_file(path)[KEY]
    except (OSError, SafetensorError, KeyError) as fault:
        raise UserError(f"{path}: no readable noise ({type(fault).__name__}: {fault}); {remedy}") from fault
    if noise.ndim != 4 or not noise.numel() or noise.dtype != torch.float32 or not bool(noise.isfinite().all()):
        raise UserError(
            f"{path}: holds {noise.dtype} of shape {tuple(noise.shape)}, not finite float32 noise of shape "
            f"(images, channels, rows, columns); {remedy}"
        )
    if noise.shape[1] != channels:
        raise UserError(
            f"{path}: noise of {noise.shape[1]} channels, but this denoiser starts from {channels}; "
            "give noise made with a denoiser for the same kind of images"
        )
    return noise
