"""The one definition of config.yaml: which datasets, which preset, and the numbers that differ from it.

`workflow/schemas/config.schema.json` is generated from these models (`python -m fewstain.config_schema`).
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import BeforeValidator, Field, StringConstraints, field_validator

from fewstain.benchmark_settings import BenchmarkSettings, read_benchmark
from fewstain.errors import UserError
from fewstain.overrides import resolve
from fewstain.pair_folders import pair_folder_name
from fewstain.pair_settings import PAIR_SECTIONS, LayoutSettings, PainterSettings, PairSettings, as_sections
from fewstain.settings import (
    ConditionalSettings,
    DiffusionSettings,
    PixelSettings,
    Preset,
    SegmenterSettings,
    SegmentSettings,
    Settings,
    Strict,
)
from fewstain.toolbox import ToolboxSettings, training_options
from fewstain.toolbox_fit import check_conditions, check_toolbox
from fewstain.validation import nearest, validate

SECTIONS = tuple(Settings.model_fields)
ACROSS = "across"  # folder of results that belong to no one dataset


class DatasetSettings(Strict):
    """What is particular to one dataset.

    Of its sections of numbers only the keys that were written count; the others come from the preset.
    """

    preset: Preset | None = Field(None, description="this dataset's own preset")
    channels: tuple[Annotated[int, Field(ge=0)], ...] | None = Field(
        None, min_length=1, description="channels to segment, counted from 0; all are measured"
    )
    pixel_size_um: float | None = Field(None, gt=0, description="where the files do not tell")
    # with a single one nothing can be chosen out-of-fold, which fit-pixels would tell after the denoiser's training
    n_labels: int | None = Field(None, ge=2, description="use only the first n label files, by name")
    retrain: bool = Field(False, description="train the denoiser anew when the pool of images has changed")
    diffusion: DiffusionSettings = Field(DiffusionSettings(), description="numbers that differ from the preset's")
    pixels: PixelSettings = Field(PixelSettings(), description="numbers that differ from the preset's")
    segmenter: SegmenterSettings = Field(SegmenterSettings(), description="numbers that differ from the preset's")
    segment: SegmentSettings = Field(SegmentSettings(), description="numbers that differ from the preset's")
    layouts: LayoutSettings = Field(LayoutSettings(), description="numbers that differ from the preset's")
    painter: PainterSettings = Field(PainterSettings(), description="numbers that differ from the preset's")
    pairs: Annotated[
        tuple[PairSettings, ...],
        BeforeValidator(as_sections, json_schema_input_type=PairSettings | list[PairSettings]),
    ] = Field((), description="synthetic pairs: numbers that differ from the preset's; several kinds as a list")
    toolbox: ToolboxSettings = Field(ToolboxSettings(), description="what else to make with the denoiser")

    @field_validator("channels")
    @classmethod
    def _each_channel_once(cls, channels: tuple[int, ...] | None) -> tuple[int, ...] | None:
        if channels is not None and len(set(channels)) < len(channels):
            raise ValueError("names a channel twice")
        return channels

    def overrides(self) -> dict[str, dict[str, Any]]:
        """Return the keys that were written, section by section."""
        return {section: self.written(section) for section in SECTIONS}

    def written(self, section: str) -> dict[str, Any]:
        """Return the keys of one section that were written."""
        written: dict[str, Any] = getattr(self, section).model_dump(mode="json", exclude_unset=True)
        return written


# a name becomes a folder under data/ and results/, so it must not be able to leave them
_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


def check_name(name: Any) -> str:
    """Return the name of a dataset; ValueError with what it must be like."""
    if isinstance(name, bool):  # what YAML reads from no, off or false, or from their opposites
        raise ValueError(f'the dataset\'s name must be written in quotes, as "{"yes" if name else "no"}"')
    if not isinstance(name, str):
        raise ValueError(f'the dataset\'s name must be written in quotes, as "{name}"')
    if not re.fullmatch(_NAME, name):
        raise ValueError("must be made of letters from A to Z, digits, -, _ and ., and begin with a letter or a digit")
    return name


DatasetName = Annotated[str, StringConstraints(pattern=_NAME), BeforeValidator(check_name)]
# "demo:" with nothing after it is YAML for null, and means a dataset with nothing particular to it
_MaybeEmpty = BeforeValidator(lambda v: {} if v is None else v, json_schema_input_type=DatasetSettings | None)


class Across(Strict):
    """One denoiser for several datasets, told by words or shown by images what to paint.

    Of `conditions` only the keys that were written count; the others come from the preset.
    """

    words: tuple[DatasetName, ...] = Field((), description="datasets to learn together, each with a words.txt")
    few_shot: tuple[DatasetName, ...] = Field((), description="datasets to learn together from sets of images")
    conditions: ConditionalSettings = Field(
        ConditionalSettings(), description="numbers that differ from the preset's, for both"
    )


class Config(Strict):
    """config.yaml."""

    datasets: dict[DatasetName, Annotated[DatasetSettings, _MaybeEmpty]] = Field(
        min_length=1, description="a name for each folder data/<name>"
    )
    across: Across = Field(Across(), description="one denoiser for several datasets; for the diffusion toolbox")
    benchmark: Annotated[
        BenchmarkSettings | None, BeforeValidator(read_benchmark, json_schema_input_type=str | BenchmarkSettings | None)
    ] = Field(None, description="methods to compare, for `snakemake benchmark`; or a YAML file that says so")
    preset: Preset = Field(Preset.demo, description="demo: minutes on 2 cores; cpu: under an hour; gpu: an evening")
    seed: int = Field(0, ge=0, description="of every random number: the same seed gives the same results")
    data: str = Field("data", min_length=1, description="folder that holds the datasets")
    results: str = Field("results", min_length=1, description="folder that results are written to")

    @field_validator("datasets", mode="before")
    @classmethod
    def _one_at_least(cls, datasets: Any) -> Any:
        if not isinstance(datasets, Mapping) or not datasets:
            raise ValueError("must be a section with a line `NAME:` for each folder data/NAME")
        return datasets

    def dataset(self, name: str) -> DatasetSettings:
        """Return what is particular to one dataset; UserError if config.yaml does not have it."""
        if name not in self.datasets:
            raise UserError(f"config: no dataset {name!r}; {nearest(name, self.datasets)}")
        return self.datasets[name]

    def preset_of(self, name: str) -> Preset:
        """Return the preset that holds for one dataset: its own, or else that of the whole config."""
        return self.dataset(name).preset or self.preset


def load_config(path: str | Path) -> Config:
    """Read and check a config.yaml.

    Raises
    ------
    UserError
        Naming the file and every unknown key (with the nearest valid one) and every bad value (with its range).
    """
    try:
        loader = _UniqueKeyLoader(Path(path).read_text(encoding="utf-8"))
        content = loader.get_single_data()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); `fewstain init DIR` writes one") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is no valid YAML; correct this place: {error}") from error
    return parse_config(content, str(path))


def parse_config(content: Any, source: str = "config.yaml") -> Config:
    """Check the content of a config.yaml that was read already; `source` names it in messages."""
    if not isinstance(content, Mapping):
        raise UserError(f"{source}: holds no keys; it needs at least `datasets:` with one name under it")
    config = validate(Config, content, source)
    for name, dataset in config.datasets.items():
        numbers = dataset_settings(config, name, source)
        place = f"{source}: datasets.{name}.toolbox"
        check_toolbox(dataset.toolbox, config.preset_of(name), numbers.diffusion, place)
        for section in dataset.pairs:
            for key, other in section.others().items():
                if other not in config.datasets:
                    raise UserError(
                        f"{source}: datasets.{name}.pairs.{key}: no dataset {other!r} in this file; "
                        f"{nearest(other, config.datasets)}"
                    )
        others = [other for other in config.datasets if other != name]
        for base in dataset.toolbox.adapters:
            if base not in others:
                raise UserError(
                    f"{source}: datasets.{name}.toolbox.adapters: {base!r} is no other dataset of this file; "
                    + (nearest(base, others) if others else "name it under `datasets` too")
                )
    if config.across.words or config.across.few_shot:
        few_shot = bool(config.across.few_shot)
        check_conditions(config.across.conditions, config.preset, few_shot, f"{source}: across.conditions")
    for key in ("words", "few_shot"):
        for name in getattr(config.across, key):
            if name not in config.datasets:
                raise UserError(f"{source}: across.{key}: no dataset {name!r}; {nearest(name, config.datasets)}")
    if ACROSS in config.datasets:
        raise UserError(
            f"{source}: datasets.{ACROSS}: this name is taken by what is learned across datasets; rename it"
        )
    return config


def dataset_settings(config: Config, name: str, source: str = "config.yaml") -> Settings:
    """Return all numbers for one dataset: its preset's, changed by its own."""
    return resolve(config.preset_of(name), config.dataset(name).overrides(), f"{source}: datasets.{name}")


def pair_settings(config: Config, name: str) -> dict[str, PairSettings]:
    """Return the numbers of one dataset's pairs, its preset's changed by its own, by the folder that the pairs go to.

    The folders are pairs, pairs-2, pairs-3 …, in the order of the sections; one whose `n` is 0 has none.
    """
    numbers = PAIR_SECTIONS["pairs"][config.preset_of(name)].model_dump(mode="json")
    found = {}
    for number, own in enumerate(config.dataset(name).pairs, start=1):
        written = own.model_dump(mode="json", exclude_unset=True)
        settings = validate(PairSettings, numbers | written, f"datasets.{name}.pairs")
        if settings.n:
            found[pair_folder_name(number)] = settings
    return found


def painter_options(config: Config, name: str) -> list[str]:
    """Return the command line options of train-painter: the preset, and what was written."""
    own, preset = config.dataset(name), config.preset_of(name)
    layouts = training_options(preset, "layouts", own.layouts)
    return layouts + training_options(preset, "painter", own.painter)[len(["--preset", preset]) :]


def across_options(config: Config) -> list[str]:
    """Return the command line options of train-words and train-few-shot: the preset, and what was written."""
    return training_options(config.preset, "conditions", config.across.conditions)


class _UniqueKeyLoader(yaml.SafeLoader):
    """Safe YAML in which a key written twice is an error, where PyYAML would drop the first."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[Any] = set()
        for key_node, _ in node.value:
            key = self.construct_object(key_node, deep=True)
            if key in seen:
                raise yaml.MarkedYAMLError(problem=f"key {key!r} stands twice", problem_mark=key_node.start_mark)
            seen.add(key)
        return super().construct_mapping(node, deep)
