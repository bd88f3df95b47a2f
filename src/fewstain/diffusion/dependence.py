"""What belongs to one denoiser and is of no use to another: adapters and controls know it by its weights."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from fewstain.diffusion.network import WEIGHTS
from fewstain.diffusion.record import DenoiserRecord
from fewstain.errors import UserError
from fewstain.storage import sha256_file


@dataclass(frozen=True, kw_only=True)
class DependentRecord(DenoiserRecord):
    """The record of what was trained on top of a denoiser, its base, with `weights_sha256` of its own file.

    Attributes
    ----------
    base
        The base's folder, as it was called then.
    base_sha256
        Of the base's weight file: it is known by this, wherever it lies now.
    """

    base: str
    base_sha256: str


def base_facts(denoiser_dir: Path) -> dict[str, str]:
    """Return what a `DependentRecord` tells of its base."""
    return {"base": str(denoiser_dir), "base_sha256": sha256_file(denoiser_dir / "unet" / WEIGHTS)}


def check_base(folder: Path, record: DependentRecord, denoiser_dir: Path, remedy: str) -> None:
    """Raise UserError where the denoiser is not the one that the folder's content was made from.

    Parameters
    ----------
    remedy
        How to make one for this denoiser.
    """
    found = sha256_file(denoiser_dir / "unet" / WEIGHTS)
    if found != record.base_sha256:
        raise UserError(
            f"{folder}: {record.holder} of another denoiser than {denoiser_dir}: of one whose weights have the SHA-256 "
            f"{record.base_sha256[:12]}…, not {found[:12]}…. Give the denoiser it was made from, then in "
            f"{record.base}, or {remedy}"
        )
