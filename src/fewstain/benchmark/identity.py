"""What the result of a benchmark's cell depends on, and a name for it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from fewstain.benchmark_settings import BenchmarkSettings, MethodName
from fewstain.overrides import resolve
from fewstain.settings import Settings
from fewstain.stages import CODE_VERSIONS
from fewstain.storage import sha256_file

M = MethodName

PRETRAINED = {
    M.ours: "diffusion",
    M.ddpm_seg: "diffusion",
    M.mae: "mae",
    M.vae: "vae",
    M.datasetgan: "gan",
    M.datasetgan_annotated: "gan",
}
"""What a method learns from the pool without labels: once a stain, for all n and seeds."""

TRAINED = {M.unet, M.unet_all, M.cellpose, M.datasetgan, M.datasetgan_annotated}
"""Methods whose training on labels has a budget; the others' fit takes what it takes."""

_DECODED = (M.forest, M.unet, M.unet_all)
"""Methods of which `pixels` says no more than how their decoder is chosen."""

_DECODER_NUMBERS = {"folds", "decoder_trials", "decoders", "decoder_views"}

_OURS_ON_OTHER_FEATURES = (M.mae, M.vae, M.filters, M.timm)
METHOD_VERSIONS = (
    dict.fromkeys(MethodName, 6)
    | dict.fromkeys((*_OURS_ON_OTHER_FEATURES, M.datasetgan, M.datasetgan_annotated), 7)
    | {M.ddpm_seg: 4, M.cellpose: 2, M.ours: 9}
)
"""Raise a method's number when its code would give other results: its cells are then run again."""

BUDGET_VERSION = 2
"""Raise it when a time would become another number of steps on the pool: what was trained by a time is then anew."""


def numbers_of(settings: BenchmarkSettings) -> Settings:
    """Return all numbers of our method: the preset's, with those that were written in their place."""
    sections = ("diffusion", "pixels", "segmenter", "segment")
    changed = {each: getattr(settings, each).model_dump(mode="json", exclude_unset=True) for each in sections}
    return resolve(settings.preset, changed, "benchmark")


def cell_facts(method: MethodName, settings: BenchmarkSettings, as_long_as_ours: bool) -> dict[str, Any]:
    """All that a cell's scores depend on beside its data, n and seed, and no more."""
    numbers = numbers_of(settings)
    facts: dict[str, Any] = {
        "method": method.value,
        "version": METHOD_VERSIONS[method],
        "preset": settings.preset.value,
    }
    if method in PRETRAINED or method in (M.filters, M.timm):
        facts["segment"] = numbers.segment.model_dump(mode="json")
    if method not in (M.ddpm_seg, M.cellpose):  # which decode in ways of their own
        needed = _DECODER_NUMBERS if method in _DECODED else None
        facts["pixels"] = numbers.pixels.model_dump(mode="json", include=needed)
    if method is M.ours:
        facts["segmenter"] = numbers.segmenter.model_dump(mode="json")
        facts["stages"] = [CODE_VERSIONS[stage] for stage in ("pixels", "segmenter", "segment")]
    if as_long_as_ours:
        facts["diffusion"] = numbers.diffusion.model_dump(mode="json")
    if method in TRAINED:
        facts |= {"seconds": settings.seconds, "steps": settings.steps}
    if method is M.timm:
        facts |= {"timm": settings.timm, "weights": _weights_hash(settings.weights)}
    return facts


def data_facts(fingerprint: str, channels: Sequence[int] | None) -> dict[str, Any]:
    """Say what a cell or a training depends on of its stain: its files, and its channels where some were chosen."""
    return {"data": fingerprint} | ({} if channels is None else {"channels": list(channels)})


def _weights_hash(path: str | None) -> str | None:
    """SHA-256 of a weight file's content; None where there is no file, and so nothing that could run."""
    if path is None or not Path(path).is_file():
        return None
    state = Path(path).stat()
    return _hash_once(path, state.st_size, state.st_mtime_ns)


@lru_cache
def _hash_once(path: str, size: int, modified: int) -> str:
    # weights may have gigabytes, and every stain of a plan asks for them
    return sha256_file(Path(path))


def digest(facts: dict[str, Any]) -> str:
    """Twelve hexadecimal digits for what a result depends on."""
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
