"""The folder of a control: its network, and a record that names the denoiser it belongs to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

from fewstain.diffusion.control.conditions import channels_of
from fewstain.diffusion.control.network import FOLDER, Control, load_control
from fewstain.diffusion.dependence import DependentRecord, check_base
from fewstain.diffusion.network import WEIGHTS, Denoiser
from fewstain.diffusion.pool_index import PoolIndex
from fewstain.diffusion.record import (
    LOSS_FILE,
    RECORD_FILE,
    SAMPLES_FILE,
    DenoiserRecord,
    check_weight_file,
    read_record_of,
)
from fewstain.errors import UserError
from fewstain.toolbox import Condition

CONTENTS = {FOLDER, RECORD_FILE, LOSS_FILE, SAMPLES_FILE}


@dataclass(frozen=True, kw_only=True)
class ControlRecord(DependentRecord):
    """fewstain.json in a control's folder; normaliser, channels and dtype are its denoiser's.

    Attributes
    ----------
    condition
        A `Condition`.
    """

    holder: ClassVar[str] = "a control"

    condition: str


def read_like(base: DenoiserRecord, index: PoolIndex) -> PoolIndex:
    """Let an index of what was learned from tell how the denoiser `base` reads images."""
    return replace(
        index, channels=base.channels, dtype=base.dtype, normaliser=base.normaliser, file_channels=base.file_channels
    )


def open_control(folder: Path, denoiser: Denoiser, denoiser_dir: Path) -> tuple[Control, ControlRecord]:
    """Read the control in `folder` for its denoiser, onto the denoiser's device.

    Raises
    ------
    UserError
        If the folder holds no control, or one of another denoiser, or its weights are damaged or not its own.
    """
    record = read_record_of(ControlRecord, folder)
    check_base(folder, record, denoiser_dir, f"train a control of {denoiser_dir}")
    control = load_control(folder, denoiser)
    path = folder / FOLDER / WEIGHTS
    check_weight_file(path, record.weights_sha256, record.holder)
    conditions = {condition.value: channels_of(condition) for condition in Condition}
    if conditions.get(record.condition) != control.condition_channels:
        raise UserError(
            f"{path}: takes conditions of {control.condition_channels} planes, which {record.condition!r}, as "
            f"{RECORD_FILE} tells of it, does not have; restore the folder from a backup, or train again"
        )
    return control.to(denoiser.device), record
