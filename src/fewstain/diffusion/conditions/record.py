"""What the folder of a conditional denoiser tells about its stains and its training."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fewstain.diffusion.conditions.network import ENCODER_WEIGHTS
from fewstain.diffusion.network import ENCODER_CONFIG, WEIGHTS
from fewstain.diffusion.pool_index import PoolIndex
from fewstain.diffusion.record import CONTENTS as PLAIN_CONTENTS
from fewstain.diffusion.record import RECORD_FILE, check_weight_file
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.storage import misfit, read_json, write_json

HOLDER = "a denoiser that takes conditions"
CONTENTS = PLAIN_CONTENTS | {ENCODER_CONFIG, ENCODER_WEIGHTS}


@dataclass(frozen=True)
class Stain:
    """One of the data sets trained on.

    Attributes
    ----------
    name
        Of its folder.
    words
        That describe it; empty where it was trained on without.
    normaliser
        How its raw intensities became [-1, 1].
    channels, dtype
        Of its files.
    pool
        {"name", "sha256"} of each image.
    """

    name: str
    words: tuple[str, ...]
    normaliser: Normaliser
    channels: int
    dtype: str
    pool: tuple[dict[str, str], ...]

    @classmethod
    def of(cls, name: str, words: tuple[str, ...], index: PoolIndex) -> Stain:
        """Describe the data set that a pool was built from."""
        pool = tuple({"name": image.name, "sha256": image.sha256} for image in index.images)
        return cls(name, words, index.normaliser, len(index.channels), index.dtype, pool)


@dataclass(frozen=True, kw_only=True)
class ConditionalRecord:
    """fewstain.json in a conditional denoiser's folder; what is not told here is as in a `DenoiserRecord`.

    Attributes
    ----------
    stains
        In the order they were given.
    image_channels
        How many the denoiser sees; images with 1 are repeated to as many.
    encoder_sha256
        Of the encoder's weight file.
    """

    stains: tuple[Stain, ...]
    image_channels: int
    settings: dict[str, Any]
    seed: int
    steps: int
    wall_seconds: float
    images_per_second: float
    peak_memory_bytes: int
    device: str
    precision: str
    version: str
    weights_sha256: str
    encoder_sha256: str

    def write(self, folder: Path) -> None:
        """Write `folder`/fewstain.json."""
        content = asdict(self)
        for written, stain in zip(content["stains"], self.stains, strict=True):
            written["normaliser"] = stain.normaliser.as_dict()
        write_json(folder / RECORD_FILE, content)


def read_conditional_record(folder: Path) -> ConditionalRecord:
    """Read `folder`/fewstain.json, and make sure that the weights beside it are those it was written with.

    Raises
    ------
    UserError
        If it is missing, damaged or of another kind; weights that were altered.
    """
    values = read_json(folder / RECORD_FILE)
    try:
        stains = tuple(_stain(each) for each in values["stains"])
        record = ConditionalRecord(**values | {"stains": stains})
    except (KeyError, TypeError, ValueError) as fault:
        raise UserError(
            f"{folder / RECORD_FILE}: not the record of {HOLDER} ({misfit(fault)}); train again, or restore it from "
            "a backup"
        ) from fault
    check_weight_file(folder / "unet" / WEIGHTS, record.weights_sha256, "a denoiser")
    check_weight_file(folder / ENCODER_WEIGHTS, record.encoder_sha256, "a denoiser")
    return record


def _stain(values: dict[str, Any]) -> Stain:
    parts = {
        "normaliser": Normaliser.from_dict(values["normaliser"]),
        "words": tuple(values["words"]),
        "pool": tuple(values["pool"]),
    }
    return Stain(**values | parts)
