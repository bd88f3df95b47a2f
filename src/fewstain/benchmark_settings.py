"""What `snakemake benchmark` compares: the key `benchmark` of config.yaml, or of `--config benchmark=...`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import Field, field_validator

from fewstain.settings import DiffusionSettings, PixelSettings, Preset, SegmenterSettings, SegmentSettings, Strict


class MethodName(StrEnum):
    """Methods by name, as in `fewstain.benchmark.methods`."""

    ours = "ours"
    filters = "filters"
    ddpm_seg = "ddpm-seg"
    mae = "mae"
    vae = "vae"
    datasetgan = "datasetgan"
    datasetgan_annotated = "datasetgan-annotated"
    unet = "unet"
    unet_all = "unet-all"
    forest = "forest"
    cellpose = "cellpose"
    timm = "timm"


DONE, FAILED, CUT = "done", "failed", "cut short"  # what became of a cell

ALL_LABELS = {MethodName.unet_all, MethodName.datasetgan_annotated}  # learn from every label there is, whatever n is

TITLES = {
    MethodName.ours: "fewstain",
    MethodName.filters: "the same ensemble on classical filters alone",
    MethodName.ddpm_seg: "DDPM-seg as published",
    MethodName.mae: "MAE",
    MethodName.vae: "VAE",
    MethodName.datasetgan: "DatasetGAN, labeled crops projected",
    MethodName.datasetgan_annotated: "DatasetGAN, its images annotated (best case)",
    MethodName.unet: "U-Net from scratch",
    MethodName.unet_all: "U-Net on all labels (upper bound)",
    MethodName.forest: "random forest",
    MethodName.cellpose: "Cellpose from scratch",
    MethodName.timm: "pretrained backbone (timm)",
}


class BenchmarkSettings(Strict):
    """Which cells of methods x stains x n x seeds to run, and what each may cost."""

    stains: tuple[str, ...] = Field(
        min_length=1, description="folders of stains or datasets that have test/, or names of datasets of this file"
    )
    methods: tuple[MethodName, ...] = Field(tuple(MethodName), min_length=1)
    n: tuple[Annotated[int, Field(ge=2)], ...] = Field((5, 20, 50), min_length=1, description="labeled windows")
    seeds: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (0, 1, 2), min_length=1, description="which windows are labeled, and the seed of the method"
    )
    preset: Preset = Field(Preset.cpu, description="of our method, and of the ensemble and decoder that others share")
    seconds: float | None = Field(
        None, gt=0, description="of every other method's training; as long as our denoiser's took, where none are given"
    )
    steps: int | None = Field(None, ge=1, description="of every other method's training, in place of seconds")
    limit_seconds: float | None = Field(None, gt=0, description="a cell that takes longer is stopped, and shown as cut")
    cells: str = Field("benchmarks/results", min_length=1, description="folder of the finished cells")
    page: str | None = Field(None, description="Markdown page to write; results/benchmark.md where untold")
    cellpose: str = Field(
        ".venv-cellpose/bin/python", min_length=1, description="Python of the environment that Cellpose is installed in"
    )
    cellpose_weights: str | None = Field(
        None, description="file of pretrained Cellpose weights to go on from, where you have them; from scratch untold"
    )
    timm: str = Field("vit_small_patch14_dinov2.lvd142m", min_length=1, description="name of the timm backbone")
    weights: str | None = Field(None, description="file of the timm backbone's weights (safetensors)")
    diffusion: DiffusionSettings = Field(DiffusionSettings(), description="numbers that differ from the preset's")
    pixels: PixelSettings = Field(PixelSettings(), description="numbers that differ from the preset's")
    segmenter: SegmenterSettings = Field(SegmenterSettings(), description="numbers that differ from the preset's")
    segment: SegmentSettings = Field(SegmentSettings(), description="numbers that differ from the preset's")

    @field_validator("methods", "n", "seeds", "stains")
    @classmethod
    def _each_once(cls, values: tuple[Any, ...]) -> tuple[Any, ...]:
        return tuple(dict.fromkeys(values))


def read_benchmark(value: Any) -> Any:
    """Read the file where `--config benchmark=FILE` names one; anything else stays as it is.

    Raises
    ------
    ValueError
        No such file, or no YAML in it.
    """
    if not isinstance(value, str):
        return value
    try:
        return yaml.safe_load(Path(value).read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as fault:
        raise ValueError(f"is neither a subset such as {{stains: [data/mystain]}} nor a YAML file ({fault})") from fault
