"""The folder of a translation: a denoiser's, with all that makes residuals of images and images of residuals."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from fewstain.diffusion.network import read_denoiser
from fewstain.diffusion.record import CONTENTS as DENOISER_CONTENTS
from fewstain.diffusion.record import DenoiserRecord, check_weights, read_record_of
from fewstain.diffusion.translation.network import Residual, Translator, as_translator
from fewstain.diffusion.translation.scale import Scale
from fewstain.errors import UserError

CONTENTS = DENOISER_CONTENTS


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
    table, spread
        As of `Residual`.
    """

    holder: ClassVar[str] = "a translation"

    source: str
    source_scale: dict[str, Any]
    target_scale: dict[str, Any]
    table: list[list[float]]
    spread: float

    @property
    def residual(self) -> Residual:
        """Table and spread."""
        return Residual(np.array(self.table), self.spread)


def read_translation(folder: Path) -> tuple[Translator, TranslationRecord]:
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
    return as_translator(denoiser), record


def scales(record: TranslationRecord) -> tuple[Scale, Scale]:
    """Of sources and of targets."""
    return Scale.from_dict(record.source_scale), Scale.from_dict(record.target_scale)


def translation_facts(source: str, source_scale: Scale, target_scale: Scale, residual: Residual) -> dict[str, Any]:
    """Return what a `TranslationRecord` tells beyond a denoiser's, ready for JSON."""
    return {
        "source": source,
        "source_scale": asdict(source_scale),
        "target_scale": asdict(target_scale),
        "table": residual.table.tolist(),
        "spread": residual.spread,
    }
