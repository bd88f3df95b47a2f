"""Features at single pixels, gathered from small maps; and which pixels to take."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor
from torch.nn import functional

from fewstain.pixels.targets import BACKGROUND, Targets

NEAR_BOUNDARY = 3.0  # pixels; within this distance of a change of class a pixel counts as close to it


def gather(maps: Sequence[Tensor], rows: Tensor, columns: Tensor, size: tuple[int, int]) -> Tensor:
    """Bilinear features at pixels: what upsampling every map to `size` would hold there, without doing so.

    Parameters
    ----------
    maps
        (1, F_i, H_i, W_i) each.
    rows, columns
        (N,) integer pixels of the full-size image.
    size
        (H, W) of the full-size image.

    Returns
    -------
    Tensor
        (N, sum F_i).
    """
    y = (rows.float() + 0.5) * (2.0 / size[0]) - 1
    x = (columns.float() + 0.5) * (2.0 / size[1]) - 1
    grid = torch.stack([x, y], dim=-1)[None, None]
    sampled = [
        functional.grid_sample(each, grid.to(each), mode="bilinear", padding_mode="border", align_corners=False)[
            0, :, 0
        ]
        for each in maps
    ]
    return torch.cat(sampled).T


def most_pixels(n: int, classes: int) -> int:
    """How many pixels `stratified_pixels` draws at most, asked for `n` of a window with classes from 0 to `classes`."""
    strata = classes + 2  # the background is two
    return n + strata - 1


def stratified_pixels(targets: Targets, n: int, rng: np.random.Generator) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Draw pixels of a window evenly from: far background, near background, and each class of object pixels.

    Parameters
    ----------
    targets
        Of the window.
    n
        About how many; fewer where the window has fewer.
    rng
        Source of the draw.

    Returns
    -------
    rows, columns
        (<= n,) each.
    """
    background = targets.classes == BACKGROUND
    near = ndimage.distance_transform_edt(background) <= NEAR_BOUNDARY if not background.all() else ~background
    strata = np.where(background, np.where(near, -1, -2), targets.classes).ravel()
    present = np.unique(strata)
    chosen = [
        rng.choice(members, min(len(members), -(-n // len(present))), replace=False)
        for members in (np.flatnonzero(strata == each) for each in present)
    ]
    return np.unravel_index(np.concatenate(chosen), background.shape)  # type: ignore[return-value]
