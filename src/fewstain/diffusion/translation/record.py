"""The folder of a translation: a denoiser's, with all that makes residuals of images and images of residuals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from fewstain.diffusion.network import read_denoiser
from fewstain.diffusion.record import CONTENTS as DENOISER_CONTENTS
from fewstain.diffusion.record import DenoiserRecord, check_weight_file, check_weights, read_record_of
from fewstain.diffusion.translation.alike import TABLES_FILE, Tables
from fewstain.diffusion.translation.network import Residual, Translator, as_translator
from fewstain.diffusion.translation.scale import Scale
from fewstain.errors import UserError
from fewstain.storage import sha256_file

CONTENTS = DENOISER_CONTENTS | {TABLES_FILE}


@dataclass(frozen=True, kw_only=True)
class TranslationRecord(DenoiserRecord):
    """fewstain.json in a translation's folder: what a denoiser's tells, of the target images, and how to translate.

    Its `normaliser` says nothing: a translation has one range for all images, `target_scale`.

    Attributes
    ----------
    source
        "grey", or the folder of source images as it was called then.
    source_scale, target_scale
        What became -1 and 1, as `Scale` has it, of sources and targets.
    spread
        As of `Residual`.
    tables_sha256
        Of tables.safetensors.
    target_rgb
        Whether the files of the targets say that their three channels are colours; None where nobody knows.
    """

    holder: ClassVar[str] = "a translation"

    source: str
    source_scale: dict[str, Any]
    target_scale: dict[str, Any]
    spread: float
    tables_sha256: str
    target_rgb: bool | None = None


def read_translation(folder: Path) -> tuple[Translator, Residual, TranslationRecord]:
    """Read a translation that `train_translation` wrote.

    Raises
    ------
    UserError
        If the folder holds none, or its weights are damaged or not its own.
    """
    denoiser = read_denoiser(folder)
    if not denoiser.source_channels:
        raise UserError(f"{folder}: this denoiser takes no source image; give a folder that train-translation made")
    record = read_record_of(TranslationRecord, folder)
    check_weights(folder, record)
    check_weight_file(folder / TABLES_FILE, record.tables_sha256, TranslationRecord.holder)
    return as_translator(denoiser), Residual(Tables.read(folder), record.spread), record


def scales(record: TranslationRecord) -> tuple[Scale, Scale]:
    """Of sources and of targets."""
    return Scale.from_dict(record.source_scale), Scale.from_dict(record.target_scale)


def translation_facts(
    folder: Path, source: str, source_scale: Scale, target_scale: Scale, residual: Residual, target_rgb: bool
) -> dict[str, Any]:
    """Write the tables, and return what a `TranslationRecord` tells beyond a denoiser's, ready for JSON."""
    residual.tables.save(folder)
    return {
        "source": source,
        "source_scale": asdict(source_scale),
        "target_scale": asdict(target_scale),
        "spread": residual.spread,
        "tables_sha256": sha256_file(folder / TABLES_FILE),
        "target_rgb": target_rgb,
    }
