"""What the workflow makes with a trained denoiser beside masks: the key `toolbox` of a dataset in config.yaml."""

from __future__ import annotations

import json
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from fewstain.presets import (
    CONDITIONAL_PRESETS,
    CONTROL_PRESETS,
    LATENT_PRESETS,
    TRANSLATION_PRESETS,
    VAE_PRESETS,
)
from fewstain.settings import (
    ControlSettings,
    DiffusionSettings,
    Preset,
    Strict,
    TrainingSettings,
    TranslationSettings,
    VaeSettings,
)
from fewstain.validation import validate

PART_PRESETS: dict[str, Mapping[Preset, TrainingSettings]] = {
    "vae": VAE_PRESETS,
    "latent": LATENT_PRESETS,
    "control": CONTROL_PRESETS,
    "translation": TRANSLATION_PRESETS,
    "conditions": CONDITIONAL_PRESETS,
}


class Method(StrEnum):
    """Samplers by name, as in `fewstain.diffusion.methods`."""

    ddpm = "ddpm"
    ddim = "ddim"
    euler = "euler"
    heun = "heun"
    rk4 = "rk4"
    dpmpp = "dpm++"
    sde = "sde"


# of the network in one step, of those methods that take more than one; see `fewstain.diffusion.methods`
EVALUATIONS = {Method.heun: 2, Method.rk4: 4}


class Condition(StrEnum):
    """What a control is told of an image.

    Attributes
    ----------
    layout
        Where its objects are, from a label image; see `fewstain.layout.layout_planes`.
    edges
        Where its edges are, from the image itself; see `fewstain.diffusion.control.conditions.edge_planes`.
    """

    layout = "layout"
    edges = "edges"


class Target(StrEnum):
    """Which layers of a denoiser an adapter changes.

    Attributes
    ----------
    all
        Every convolution, and the linear layers of attention blocks; not those of the time embedding, which tell the
        noise level, whatever the stain, and would take a tenth of the adapter's parameters.
    attention
        The linear layers of attention blocks only.
    keys_values
        The keys and values of attention blocks, which are not changed by a low rank but replaced as a whole.
    """

    all = "all"
    attention = "attention"
    keys_values = "keys-values"


# by benchmarks/samplers.py: in features as near to real images as 1000 steps of ddpm (docs/diffusion.md)
SAMPLER, STEPS = Method.ddim, 20


class SampleSettings(Strict):
    """Images painted by the denoiser."""

    n: int = Field(0, ge=0, description="how many; none by default")
    method: Method = SAMPLER
    steps: int = Field(STEPS, ge=1, description="evaluations of the network for each image")
    size: int | None = Field(None, ge=1, description="side in pixels; that of training crops by default")

    @model_validator(mode="after")
    def _steps_enough_for_the_method(self) -> Self:
        fewest = self.fewest_steps
        if self.steps < fewest:
            raise ValueError(
                f"steps is {self.steps}, but {self.method.value} takes at least {fewest} evaluations of the network; "
                f"write {fewest} or more, or choose another method"
            )
        return self

    @property
    def fewest_steps(self) -> int:
        """The least evaluations that the method takes."""
        return EVALUATIONS[self.method] + 1 if self.method in EVALUATIONS else 1

    def most_steps(self, train_timesteps: int) -> int:
        """Return the most evaluations that the method takes with a denoiser of so many timesteps."""
        return (train_timesteps - 1) * EVALUATIONS.get(self.method, 1) + 1

    def options(self) -> list[str]:
        """Options of `fewstain sample`."""
        size = [] if self.size is None else ["--size", str(self.size)]
        return ["-n", str(self.n), "--method", self.method.value, "--steps", str(self.steps), *size]


class AdapterSettings(Strict):
    """Another dataset's denoiser, fitted to this one's images."""

    rank: int | None = Field(
        None,
        ge=1,
        description="of the change to each layer; by default 4, or what keeps the adapter below 5 % of the denoiser",
    )
    target: Target = Target.all
    steps: int = Field(300, ge=1, description="training steps")

    @model_validator(mode="after")
    def _no_rank_of_keys_and_values(self) -> Self:
        if self.rank is not None and self.target is Target.keys_values:
            raise ValueError(
                f"rank is {self.rank}, but target keys-values replaces layers as a whole and has no rank; leave the "
                "rank out, or choose target attention"
            )
        return self

    def options(self) -> list[str]:
        """Options of `fewstain adapt`."""
        rank = [] if self.rank is None else ["--rank", str(self.rank)]
        return [*rank, "--target", self.target.value, "--steps", str(self.steps)]


class LatentWish(Strict):
    """A VAE, and a denoiser of its latents; of their numbers only those that were written count."""

    vae: VaeSettings = Field(VaeSettings(), description="numbers that differ from the preset's")
    diffusion: DiffusionSettings = Field(DiffusionSettings(), description="numbers that differ from the preset's")


class ControlWish(Strict):
    """A control of the denoiser; of its numbers only those that were written count."""

    condition: Condition = Field(Condition.layout, description="layout: of the masks, so labels are needed; or edges")
    numbers: ControlSettings = Field(ControlSettings(), description="numbers that differ from the preset's")


class TranslationWish(Strict):
    """A translation to this dataset's images; of its numbers only those that were written count."""

    source: str = Field("grey", min_length=1, description="grey, or a folder of source images of the same names")
    numbers: TranslationSettings = Field(TranslationSettings(), description="numbers that differ from the preset's")


def training_options(preset: Preset, section: str, numbers: TrainingSettings) -> list[str]:
    """Return the options of a training verb: the preset, and of a section the numbers that were written."""
    written = numbers.model_dump(mode="json", exclude_unset=True)
    changes = [f"{section}.{key}={json.dumps(value, separators=(',', ':'))}" for key, value in written.items()]
    return ["--preset", preset.value, *(word for change in changes for word in ("--set", change))]


def training_numbers(
    preset: Preset, part: str, numbers: TrainingSettings, source: str = "config.yaml"
) -> TrainingSettings:
    """Return all numbers of a training: of a part of `PART_PRESETS` the preset's, changed by those that were written.

    Raises
    ------
    UserError
        Numbers that do not go together; `source` names their place.
    """
    base = PART_PRESETS[part][preset]
    return validate(type(base), base.model_dump() | numbers.model_dump(exclude_unset=True), source)


def _empty_for_null(value: Any) -> Any:
    return {} if value is None else value


# "control:" or "other:" with nothing after it is YAML for null, and means one with nothing particular to it
def _wished(model: type[Strict]) -> BeforeValidator:
    return BeforeValidator(_empty_for_null, json_schema_input_type=model | None)


class ToolboxSettings(Strict):
    """What to make; nothing that is not named here."""

    samples: SampleSettings = SampleSettings()
    adapters: dict[str, Annotated[AdapterSettings, _wished(AdapterSettings)]] = Field(
        {}, description="by the name of the dataset whose denoiser is fitted to this one's images"
    )
    latent: Annotated[LatentWish | None, _wished(LatentWish)] = Field(
        None, description="a VAE of this dataset's images and a denoiser of its latents"
    )
    control: Annotated[ControlWish | None, _wished(ControlWish)] = Field(
        None, description="a control that makes the denoiser follow layouts or edges"
    )
    translation: Annotated[TranslationWish | None, _wished(TranslationWish)] = Field(
        None, description="a denoiser that turns source images into this dataset's kind"
    )

    def folders(self, has_labels: bool) -> list[str]:
        """Name the folders that are to be made; a control of layouts is learned once there are labels."""
        wanted = ["samples"] if self.samples.n else []
        wanted += [f"adapters/{base}" for base in self.adapters]
        wanted += ["latent"] if self.latent else []
        if self.control and (has_labels or self.control.condition is Condition.edges):
            wanted += ["control"]
        return wanted + (["translation"] if self.translation else [])
