"""The segmenter's folder: segmenter.safetensors, and segmenter.json, which tells how it was trained and chosen."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fewstain.errors import UserError
from fewstain.pairs.joint import SEGMENTER_SHARE
from fewstain.pairs.method import Method
from fewstain.pixels.consensus import Consensus
from fewstain.settings import SegmenterSettings
from fewstain.storage import misfit, read_json, write_json

RECORD_FILE = "segmenter.json"
WEIGHTS_FILE = "segmenter.safetensors"
CONTENTS = {RECORD_FILE, WEIGHTS_FILE, "loss.csv", "cost.json"}


@dataclass(frozen=True)
class SegmenterRecord:
    """Contents of segmenter.json.

    Attributes
    ----------
    method
        What segments; see `best_method`.
    decoders
        Of each method, tuned out-of-fold. The ensemble alone takes that of pixels.json.
    out_of_fold
        Nested scores of each method, see `nested_sum`. Where there are synthetic pairs, the segmenter's, and that of
        both, may flatter a little; see `train_segmenter`.
    leads
        Of the others, how far AP50 is ahead of that of both, and the lead's standard error; see `leads`.
    settings, seed, n_labels, n_pairs
        What it was trained with, and on.
    wall_seconds
        Of all of its trainings, those without a fold included, all sessions.
    steps
        Of the last of them, on all labels.
    ensemble_sha256
        Of the weights of the ensemble it was compared with.
    weights_sha256
        Of segmenter.safetensors.
    versions
        Of fewstain and the libraries that matter.
    """

    method: Method
    decoders: Mapping[str, Consensus]
    out_of_fold: Mapping[str, Any]
    leads: Mapping[str, Sequence[float]]
    settings: SegmenterSettings
    seed: int
    n_labels: int
    n_pairs: int
    steps: int
    wall_seconds: float
    ensemble_sha256: str
    weights_sha256: str
    versions: Mapping[str, str]

    def compute_hash(self, method: Method, classes: Sequence[str]) -> str:
        """SHA-256 over everything that changes a method's masks, and the names of the objects' classes."""
        parts: list[object] = [method, self.weights_sha256, asdict(self.decoders[method]), list(classes)]
        parts += [self.ensemble_sha256, SEGMENTER_SHARE] if method is Method.both else []
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def write(self, folder: Path) -> None:
        """Write `folder`/segmenter.json."""
        write_json(folder / RECORD_FILE, asdict(self) | {"settings": self.settings.model_dump(mode="json")})


def read_segmenter_record(folder: Path) -> SegmenterRecord:
    """Read `folder`/segmenter.json.

    Raises
    ------
    UserError
        If it is missing, damaged or of another kind.
    """
    path = folder / RECORD_FILE
    if not path.is_file():
        raise UserError(f"{path}: no such file, so there is no segmenter; run train-segmenter first")
    values = read_json(path)
    try:
        converted = {
            "method": Method(values["method"]),
            "settings": SegmenterSettings(**values["settings"]),
            "decoders": {Method(name): Consensus.from_dict(each) for name, each in values["decoders"].items()},
        }
        return SegmenterRecord(**(values | converted))
    except (AttributeError, KeyError, TypeError, ValueError) as fault:
        raise UserError(
            f"{path}: not the record of a segmenter ({misfit(fault)}); run train-segmenter again"
        ) from fault
