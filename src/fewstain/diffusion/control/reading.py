"""Files that an image is to follow -> conditions."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from fewstain.diffusion.control.conditions import edge_planes
from fewstain.diffusion.control.record import ControlRecord
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import read_picture
from fewstain.diffusion.sampling import check_size
from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.layout import layout_planes
from fewstain.toolbox import Condition


def read_condition(path: Path, denoiser_dir: Path, record: ControlRecord, denoiser: Denoiser) -> Tensor:
    """Read a label image, or for a control of edges an image, as a condition.

    Returns
    -------
    Tensor
        (1, K, H, W) float32 in [0, 1].

    Raises
    ------
    UserError
        An unreadable file, or of another kind; a size that the denoiser cannot take.
    """
    if record.condition == Condition.layout:
        planes = layout_planes(read_labels(path))
    else:
        planes = edge_planes(read_picture(denoiser_dir, record, path).planes[0].numpy())
    try:
        check_size(denoiser, (planes.shape[1], planes.shape[2]))
    except UserError as fault:
        raise UserError(f"{path}: {fault}; cut or pad it") from fault
    return torch.from_numpy(planes)[None]
