"""Conditions -> images, painted by a frozen denoiser under its control."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.control.network import Control, with_condition
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.record import DenoiserRecord
from fewstain.diffusion.sampling import sample
from fewstain.errors import UserError
from fewstain.toolbox import SAMPLER, STEPS


def paint_conditions(
    denoiser: Denoiser,
    control: Control,
    conditions: Tensor,
    *,
    steps: int = STEPS,
    seed: int,
    method: str = SAMPLER,
    noise: Tensor | None = None,
    batch_size: int = 16,
) -> Tensor:
    """Paint an image for each condition.

    Parameters
    ----------
    denoiser, control
        On the device to compute on.
    conditions
        (n, K, H, W) planes in [0, 1], as `layout_planes` makes them; H and W multiples of `denoiser.multiple`.
    steps, seed, method, noise, batch_size
        As of `sample`. Image i is a function of (seed, i) and of condition i.

    Returns
    -------
    Tensor
        (n, C, H, W) float32 in [-1, 1], on the CPU.

    Raises
    ------
    UserError
        Another number of planes than the control was trained on; as of `sample`.
    """
    if conditions.ndim != 4 or conditions.shape[1] != control.condition_channels:
        raise UserError(
            f"conditions of shape {tuple(conditions.shape)}; this control was trained on "
            f"(n, {control.condition_channels}, height, width)"
        )
    size = (conditions.shape[2], conditions.shape[3])
    return sample(
        denoiser,
        len(conditions),
        size,
        steps=steps,
        seed=seed,
        method=method,
        noise=noise,
        batch_size=batch_size,
        bind=lambda rows: with_condition(denoiser, control, conditions[rows].to(denoiser.device)),
    )


def file_pixels(image: NDArray[np.floating], record: DenoiserRecord) -> NDArray:
    """Make a painted image of the dtype of the denoiser's pool, so that what takes its images takes this one.

    Parameters
    ----------
    image
        (C, H, W) in [-1, 1].

    Returns
    -------
    ndarray
        (H, W, C): over all that an integer type holds, or in [0, 1] of floats. No camera has set a scale; normalised,
        as `segment` does it, any will do.
    """
    dtype = np.dtype(record.dtype)
    highest = float(np.iinfo(dtype).max) if dtype.kind in "ui" else 1.0
    limits = np.zeros(len(image)), np.full(len(image), highest)
    return record.normaliser.restore(image, limits, dtype)
