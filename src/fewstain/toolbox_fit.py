"""Whether a dataset's networks can do what its `toolbox` section asks for, told before the first of them is trained."""

from __future__ import annotations

from typing import cast

from fewstain.errors import UserError
from fewstain.settings import ConditionalSettings, DiffusionSettings, Preset, VaeSettings
from fewstain.toolbox import (
    ControlWish,
    LatentWish,
    SampleSettings,
    ToolboxSettings,
    TranslationWish,
    training_numbers,
)

PATCH = 16  # pixels, of `fewstain.diffusion.conditions.image_set`


def check_toolbox(wishes: ToolboxSettings, preset: Preset, denoiser: DiffusionSettings, source: str) -> None:
    """Check sizes, crops and steps against the networks that are to take them.

    Parameters
    ----------
    denoiser
        All numbers of the dataset's denoiser.
    source
        Names the section in messages.

    Raises
    ------
    UserError
        Naming the key, what is wrong, and what to write.
    """
    if wishes.samples.n:
        _check_samples(wishes.samples, denoiser, f"{source}.samples")
    if wishes.latent:
        _check_latent(wishes.latent, preset, f"{source}.latent")
    if wishes.control:
        _check_control(wishes.control, preset, denoiser, f"{source}.control.numbers")
    if wishes.translation:
        _check_translation(wishes.translation, preset, f"{source}.translation.numbers")


def check_conditions(written: ConditionalSettings, preset: Preset, few_shot: bool, source: str) -> None:
    """Check the crop of the denoisers of several datasets as `check_toolbox` does; `few_shot` with sets of images."""
    numbers = cast(ConditionalSettings, training_numbers(preset, "conditions", written, source))
    _check_multiple(f"{source}.crop", numbers.crop, numbers.stride, _blocks("conditions"))
    if few_shot:
        _check_multiple(f"{source}.crop", numbers.crop, PATCH, "a set's images are cut into patches of so many pixels")


def _check_samples(samples: SampleSettings, denoiser: DiffusionSettings, source: str) -> None:
    if samples.size is not None:
        _check_multiple(f"{source}.size", samples.size, denoiser.stride, _blocks("diffusion"))
    most = samples.most_steps(denoiser.train_timesteps)
    if samples.steps > most:
        raise UserError(
            f"{source}.steps is {samples.steps}, but with diffusion.train_timesteps = {denoiser.train_timesteps} "
            f"{samples.method.value} takes no more than {most}; write {most} or less"
        )


def _check_latent(latent: LatentWish, preset: Preset, source: str) -> None:
    vae = cast(VaeSettings, training_numbers(preset, "vae", latent.vae, f"{source}.vae"))
    _check_multiple(f"{source}.vae.crop", vae.crop, vae.factor, _blocks("vae"))
    numbers = cast(DiffusionSettings, training_numbers(preset, "latent", latent.diffusion, f"{source}.diffusion"))
    reason = f"{_blocks('diffusion')}, and these times the VAE's {vae.factor} pixels to a latent"
    _check_multiple(f"{source}.diffusion.crop", numbers.crop, numbers.stride * vae.factor, reason)


def _check_control(control: ControlWish, preset: Preset, denoiser: DiffusionSettings, source: str) -> None:
    numbers = training_numbers(preset, "control", control.numbers, source)
    _check_multiple(f"{source}.crop", numbers.crop, denoiser.stride, f"of the denoiser, {_blocks('diffusion')}")


def _check_translation(translation: TranslationWish, preset: Preset, source: str) -> None:
    numbers = cast(DiffusionSettings, training_numbers(preset, "translation", translation.numbers, source))
    _check_multiple(f"{source}.crop", numbers.crop, numbers.stride, _blocks("translation"))


def _blocks(section: str) -> str:
    return f"{section}.unshuffle times 2 for every level of {section}.channels after the first"


def _check_multiple(key: str, pixels: int, multiple: int, reason: str) -> None:
    if pixels % multiple:
        near = max(multiple, pixels // multiple * multiple)
        raise UserError(f"{key} is {pixels}, but must be a multiple of {multiple} ({reason}); write {near}")
