"""napari's writer: labels go where a dataset or its results expect them, never over a prediction."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from fewstain.errors import UserError
from fewstain.images.write import write_labels as write_file
from fewstain.pixels.decisions import CORRECTED
from fewstain.provenance import RECORD_FILE
from fewstain.viewer.forgotten import move_aside
from fewstain.viewer.layers import told


def write_labels(path: str, data: Any, meta: dict[str, Any]) -> list[str]:
    """Write a labels layer as TIFF: uint16, or uint32 past 65535 objects.

    Parameters
    ----------
    path
        Where the user wants it. Predicted and corrected masks of results go to corrected/<image>.tif there, whatever
        the path: nothing else would count as a correction, and a prediction must stay as it is. A correction that is
        there already is moved aside first, as `move_aside` does, unless it is the one that is saved.
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
        A stack; a file that cannot be written, or moved aside.
    """
    labels = np.asarray(data)
    if labels.ndim != 2:
        raise UserError(f"{path}: labels of shape {labels.shape}; save one plane at a time")
    layer = told(meta.get("metadata", {}))
    target = _target(Path(path), layer)
    aside = move_aside(target) if _replaces_another(Path(path), target, layer) else None
    write_file(target, labels)
    if target != Path(path) or aside:
        before = f" What was there before is in {aside} now." if aside else ""
        _tell(f"Wrote {target}: corrections of a mask are kept there.{before}")
    return [str(target)]


def _target(path: Path, layer: Mapping[str, Any]) -> Path:
    """Choose the file; `layer` is what its metadata say of it."""
    if layer.get("kind") in ("masks", CORRECTED):
        return Path(str(layer["file"])).parents[1] / CORRECTED / f"{layer['image']}.tif"
    if path.parent.name == "masks" and (path.parents[1] / RECORD_FILE).is_file():
        return path.parents[1] / CORRECTED / path.name
    return path


def _replaces_another(path: Path, target: Path, layer: Mapping[str, Any]) -> bool:
    """Whether a correction at `target` is not the one that is saved, nor a file that the user chose to write over."""
    return layer.get("kind") != CORRECTED and (layer.get("kind") == "masks" or target != path)


def _tell(text: str) -> None:
    with suppress(ImportError):  # it is written all the same
        from napari.utils.notifications import show_info

        show_info(text)
