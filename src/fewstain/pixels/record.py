"""pixels.json: how the ensemble was chosen, and what must be known to apply it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.pixels.consensus import Consensus
from fewstain.storage import misfit, read_json, write_json

RECORD_FILE = "pixels.json"
ONE_CLASS = ("object",)


@dataclass(frozen=True)
class PixelsRecord:
    """Contents of pixels.json.

    Attributes
    ----------
    timesteps, blocks, noise_draws, seed, autocast
        Of `DiffusionFeatures`.
    filters
        Whether `FilterFeatures` come before them.
    classes
        Names of the classes of objects; `ONE_CLASS` when none were given.
    decoder
        Tuned out-of-fold.
    members, hidden, features
        Of `PixelEnsemble`; `features` is the number of all maps' channels together.
    normaliser
        The denoiser's.
    channels
        Which of a file's channels are segmented, counted from 0.
    file_channels, dtype
        Channels of the image files the model was made for, and the type of their pixels, "uint8" or the like.
    n_labels
        Label files used.
    choices
        Rows of the tables behind each choice.
    out_of_fold
        Scores.
    versions
        Of fewstain and the libraries that matter.
    denoiser_sha256, ensemble_sha256
        Of the two weight files; filled by `save_pixels`, checked by `load`.
    model_hash
        SHA-256 over both and everything that changes the masks; filled by `save_pixels`, computed anew by `load`.
    """

    timesteps: tuple[int, ...]
    blocks: tuple[str, ...]
    noise_draws: int
    filters: bool
    seed: int
    autocast: bool
    classes: tuple[str, ...]
    decoder: Consensus
    members: int
    hidden: tuple[int, int]
    features: int
    normaliser: Normaliser
    channels: tuple[int, ...]
    file_channels: int
    dtype: str
    n_labels: int
    choices: Mapping[str, Any] = field(default_factory=dict)
    out_of_fold: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    denoiser_sha256: str = ""
    ensemble_sha256: str = ""
    model_hash: str = ""

    @property
    def pixel_classes(self) -> int:
        """Number K of pixel classes: background, boundary, and the interior of each class of objects."""
        return 2 + len(self.classes)

    def compute_hash(self) -> str:
        """SHA-256 over the weights and everything else that changes the masks."""
        keys = (
            "timesteps",
            "blocks",
            "noise_draws",
            "filters",
            "seed",
            "autocast",
            "classes",
            "decoder",
            "normaliser",
            "channels",
        )
        values = asdict(self)
        parts = {key: values[key] for key in (*keys, "denoiser_sha256", "ensemble_sha256")}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write `folder`/pixels.json."""
        write_json(folder / RECORD_FILE, asdict(self) | {"normaliser": self.normaliser.as_dict()})


def read_record(folder: Path) -> PixelsRecord:
    """Read `folder`/pixels.json.

    Raises
    ------
    UserError
        If it is missing, damaged or of another kind.
    """
    path = folder / RECORD_FILE
    if not path.is_file():
        raise UserError(f"{path}: no such file, so there is no model to segment with; run fit-pixels first")
    values = read_json(path)
    try:
        converted = {
            "timesteps": tuple(int(each) for each in values["timesteps"]),
            "blocks": tuple(str(each) for each in values["blocks"]),
            "classes": tuple(str(each) for each in values["classes"]),
            "decoder": Consensus.from_dict(values["decoder"]),
            "hidden": tuple(int(each) for each in values["hidden"]),
            "normaliser": Normaliser.from_dict(values["normaliser"]),
            "channels": tuple(int(each) for each in values["channels"]),
        }
        return PixelsRecord(**(values | converted))
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise UserError(f"{path}: not the record of a fit ({misfit(fault)}); run fit-pixels again") from fault
