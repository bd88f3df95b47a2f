"""napari's writer: labels go where a dataset or its results expect them, never over a prediction."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fewstain.errors import UserError
from fewstain.images.write import write_labels as write_file
from fewstain.pixels.decisions import CORRECTED
from fewstain.viewer.layers import told


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as TIFF: uint16, or uint32 past 65535 objects.

    Parameters
    ----------
    path
        Where the user wants it. A folder results/<dataset>/masks is the pipeline's own: a correction of one of its
        masks goes to results/<dataset>/corrected instead.
    data
        (H, W) integers.
    meta
        The layer's properties.

    Returns
    -------
    list of str
        The file that was written.

    Raises
    ------
    UserError
        A stack; a file that cannot be written.
    """
    labels = np.asarray(data)
    if labels.ndim != 2:
        raise UserError(f"{path}: labels of shape {labels.shape}; save one plane at a time")
    target = Path(path)
    source = Path(str(told(meta.get("metadata", {})).get("file", "")))
    if target.parent.name == "masks" and (source == target or (target.parent.parent / "dataset.json").is_file()):
        target = target.parent.parent / CORRECTED / target.name
    write_file(target, labels)
    return [str(target)]
