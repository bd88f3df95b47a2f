"""What the workflow makes with a trained denoiser beside masks: the key `toolbox` of a dataset in config.yaml."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from pydantic import BeforeValidator, Field

from fewstain.settings import Strict


class Method(StrEnum):
    """Samplers by name, as in `fewstain.diffusion.methods`."""

    ddpm = "ddpm"
    ddim = "ddim"
    euler = "euler"
    heun = "heun"
    rk4 = "rk4"
    dpmpp = "dpm++"
    sde = "sde"


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


SAMPLER, STEPS = Method.ddim, 30


class SampleSettings(Strict):
    """Images painted by the denoiser."""

    n: int = Field(0, ge=0, description="how many; none by default")
    method: Method = SAMPLER
    steps: int = Field(STEPS, ge=1, description="evaluations of the network for each image")
    size: int | None = Field(None, ge=1, description="side in pixels; that of training crops by default")

    def options(self) -> list[str]:
        """Options of `fewstain sample`."""
        size = [] if self.size is None else ["--size", str(self.size)]
        return ["-n", str(self.n), "--method", self.method.value, "--steps", str(self.steps), *size]


class AdapterSettings(Strict):
    """Another dataset's denoiser, fitted to this one's images."""

    rank: int = Field(4, ge=1, description="of the change to each layer; the adapter grows with it")
    target: Target = Target.all
    steps: int = Field(300, ge=1, description="training steps")

    def options(self) -> list[str]:
        """Options of `fewstain adapt`."""
        return ["--rank", str(self.rank), "--target", self.target.value, "--steps", str(self.steps)]


# "other:" with nothing after it is YAML for null, and means an adapter with nothing particular to it
_MaybeEmpty = BeforeValidator(lambda v: {} if v is None else v, json_schema_input_type=AdapterSettings | None)


class ToolboxSettings(Strict):
    """What to make; nothing that is not named here."""

    samples: SampleSettings = SampleSettings()
    adapters: dict[str, Annotated[AdapterSettings, _MaybeEmpty]] = Field(
        {}, description="by the name of the dataset whose denoiser is fitted to this one's images"
    )
