"""The folder of an adapter: its weights, and a record that names the denoiser it belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fewstain.diffusion.dependence import DependentRecord, check_base
from fewstain.diffusion.lora import adapter_tensors, add_adapter, set_adapter_tensors
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.record import (
    LOSS_FILE,
    RECORD_FILE,
    SAMPLES_FILE,
    check_weight_file,
    read_record_of,
)
from fewstain.errors import UserError
from fewstain.storage import atomic_path
from fewstain.toolbox import Target

ADAPTER_FILE = "adapter_model.safetensors"
CONTENTS = {ADAPTER_FILE, RECORD_FILE, LOSS_FILE, SAMPLES_FILE, ".snakemake_timestamp"}


@dataclass(frozen=True, kw_only=True)
class AdapterRecord(DependentRecord):
    """fewstain.json in an adapter's folder: what the adapted denoiser is, with `weights_sha256` of the adapter's file.

    Attributes
    ----------
    rank, target
        As of `add_adapter`.
    """

    holder: ClassVar[str] = "an adapter"

    rank: int
    target: str


def save_adapter(folder: Path, denoiser: Denoiser) -> None:
    """Write `folder`/adapter_model.safetensors: A and B of every adapted layer."""
    with atomic_path(folder / ADAPTER_FILE) as temporary:
        save_file(adapter_tensors(denoiser), temporary)


def read_adapter_record(folder: Path) -> AdapterRecord:
    """Read `folder`/fewstain.json.

    Raises
    ------
    UserError
        If it is missing, damaged or of another kind.
    """
    return read_record_of(AdapterRecord, folder)


def load_adapter(denoiser: Denoiser, denoiser_dir: Path, folder: Path) -> AdapterRecord:
    """Put the adapter in `folder` into its base.

    Parameters
    ----------
    denoiser
        Changed in place: it gets the adapter, unmerged and switched on.
    denoiser_dir
        Folder that the denoiser was read from.
    folder
        Where an adaptation was written.

    Returns
    -------
    AdapterRecord
        Also how images of the new stain are normalised, and which kind of files they are.

    Raises
    ------
    UserError
        If the folder holds no adapter, or one of another denoiser, or its weights are damaged or not its own.
    """
    record, path = read_adapter_record(folder), folder / ADAPTER_FILE
    check_base(folder, record, denoiser_dir, f"adapt {denoiser_dir} anew")
    remedy = "restore the folder from a backup, or adapt again"
    if not path.is_file():
        raise UserError(f"{path}: no such file, so {folder} holds no adapter; {remedy}")
    check_weight_file(path, record.weights_sha256, record.holder)
    try:
        add_adapter(denoiser, record.rank, Target(record.target), seed=0)
        set_adapter_tensors(denoiser, load_file(path))
    except (SafetensorError, ValueError, TypeError) as fault:
        raise UserError(f"{path}: does not fit what {RECORD_FILE} tells of it ({fault}); {remedy}") from fault
    return record
