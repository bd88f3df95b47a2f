"""What the result of a benchmark's cell depends on, and a name for it all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from fewstain.baselines.presets import GAN_PRESETS, MAE_PRESETS, UNET_PRESETS, UNetSettings
from fewstain.benchmark_settings import BenchmarkSettings, MethodName
from fewstain.overrides import resolve
from fewstain.presets import VAE_PRESETS
from fewstain.settings import Preset, Settings, TrainingSettings
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

POOL_PRESETS: dict[str, Mapping[Preset, TrainingSettings]] = {
    "mae": MAE_PRESETS,
    "vae": VAE_PRESETS,
    "gan": GAN_PRESETS,
}
"""Numbers of what others learn from the pool; the budget takes the place of their steps."""

TRAINED = {M.unet, M.unet_all, M.cellpose, M.datasetgan, M.datasetgan_annotated}
"""Methods whose training on labels has a budget; the others' fit takes what it takes."""

_WITH_UNET = {M.unet, M.unet_all, M.datasetgan, M.datasetgan_annotated}

_DECODED = (M.forest, M.unet, M.unet_all)
"""Methods of which `pixels` says no more than how their decoder is chosen."""

_DECODER_NUMBERS = {"folds", "decoder_trials", "decoders", "decoder_views"}

_OURS_ON_OTHER_FEATURES = (M.mae, M.vae, M.filters, M.timm)

_STAGES = (
    dict.fromkeys((M.ddpm_seg, M.datasetgan, M.datasetgan_annotated), ("pixels",))
    | dict.fromkeys(_OURS_ON_OTHER_FEATURES, ("pixels", "segment"))
    | {M.ours: ("pixels", "segmenter", "segment")}
)
"""Stages of the workflow whose code a method runs on; a new version of one renames its cells."""

_CHANGES_NO_SCORE = {
    "diffusion": {"samples", "sample_steps", "checkpoint_seconds"},
    "segmenter": {"checkpoint_seconds", "pairs_share"},  # no cell has synthetic pairs
}

METHOD_VERSIONS = (
    dict.fromkeys(MethodName, 8)
    | dict.fromkeys(_OURS_ON_OTHER_FEATURES, 8)
    | dict.fromkeys((M.unet, M.unet_all), 11)
    | dict.fromkeys((M.datasetgan, M.datasetgan_annotated), 12)
    | {M.ddpm_seg: 4, M.cellpose: 2, M.ours: 10}
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
        facts["segmenter"] = _numbers(numbers, "segmenter")
    own = UNET_PRESETS[settings.preset]
    if method in _WITH_UNET and own != UNetSettings():  # cells with the default's numbers are older than this line
        facts["unet"] = own.model_dump(mode="json")
    if method in _STAGES:
        facts["stages"] = {stage: CODE_VERSIONS[stage] for stage in _STAGES[method]}
    if as_long_as_ours:
        facts |= _time_of_ours(numbers)
    if method in TRAINED:
        facts |= {"seconds": settings.seconds, "steps": settings.steps}
    if method is M.timm:
        facts |= {"timm": settings.timm, "weights": _weights_hash(settings.weights)}
    if method is M.cellpose and settings.cellpose_weights is not None:
        facts["weights"] = _weights_hash(settings.cellpose_weights)
    return facts


def pool_facts(kind: str, settings: BenchmarkSettings, as_long_as_ours: bool) -> dict[str, Any]:
    """All that what is learned from the pool depends on beside its data, and no more."""
    numbers = numbers_of(settings)
    facts: dict[str, Any] = {"kind": kind, "preset": settings.preset.value}
    if kind == "diffusion":
        return facts | {"diffusion": _numbers(numbers, "diffusion"), "version": CODE_VERSIONS["diffusion"]}
    own = POOL_PRESETS[kind][settings.preset].model_dump(mode="json", exclude={"steps", "checkpoint_seconds"})
    facts |= {"numbers": own, "version": CODE_VERSIONS[f"benchmark-{kind}"]}
    facts |= {"seconds": settings.seconds, "steps": settings.steps}
    facts |= {} if settings.steps is not None else {"budget": BUDGET_VERSION}
    return facts | (_time_of_ours(numbers) if as_long_as_ours else {})


def denoiser_folder_facts(settings: BenchmarkSettings) -> dict[str, Any]:
    """Say what names the denoiser's folder: all of its numbers, also those that change no weight."""
    return pool_facts("diffusion", settings, False) | {
        "diffusion": numbers_of(settings).diffusion.model_dump(mode="json")
    }


def budget_kind(method: MethodName, settings: BenchmarkSettings) -> str | None:
    """Say in words how long each training of a method may take; None where nothing limits any."""
    if method not in TRAINED and PRETRAINED.get(method, "diffusion") == "diffusion":
        return None
    if settings.steps is not None:
        return f"{settings.steps} steps"
    return "as long as ours" if settings.seconds is None else f"{settings.seconds:g} seconds"


def backbone(method: MethodName, options: Mapping[str, Any]) -> str | None:
    """Name what was trained elsewhere, NAME@HASH of its weights; None for a method that takes nothing from there."""
    if method is M.timm:
        name, weights = options["timm"], options["weights"]
    elif method is M.cellpose and options.get("cellpose_weights") is not None:
        weights = options["cellpose_weights"]
        name = Path(weights).name
    else:
        return None
    return f"{name}@{(_weights_hash(weights) or '')[:12]}"


def _numbers(numbers: Settings, section: str) -> dict[str, Any]:
    """Take those numbers of a section that scores depend on."""
    found: dict[str, Any] = getattr(numbers, section).model_dump(mode="json", exclude=_CHANGES_NO_SCORE[section])
    return found


def _time_of_ours(numbers: Settings) -> dict[str, Any]:
    """Facts of the training that another one may take as long as."""
    return {"diffusion": _numbers(numbers, "diffusion"), "diffusion_version": CODE_VERSIONS["diffusion"]}


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
