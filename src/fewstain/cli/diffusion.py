"""Verbs of the denoiser: train-diffusion, sample."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import (
    ChannelsOption,
    DatasetDir,
    PresetOption,
    SeedOption,
    SetOption,
    channels_of,
    say,
    section_settings,
    settings_help,
)
from fewstain.config import DiffusionSettings, Preset


class Method(StrEnum):
    """Samplers by name."""

    ddpm = "ddpm"
    ddim = "ddim"


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("train-diffusion", epilog=settings_help(DiffusionSettings, "diffusion"))(train)
    app.command("sample")(sample)


def train(
    dataset: DatasetDir,
    out: Annotated[Path, typer.Option(help="Folder for the trained denoiser; it appears whole, at the end.")],
    state: Annotated[Path, typer.Option(help="Folder for the training state: the same command goes on from it.")],
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    channels: ChannelsOption = None,
    seed: SeedOption = 0,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where settings or images have changed, instead of refusing.")
    ] = False,
) -> None:
    """Learn what a dataset's images look like, without labels: train a denoiser on all of them."""
    settings = section_settings(DiffusionSettings, "diffusion", preset, changes)
    chosen = channels_of(channels)
    from fewstain.dataset import open_dataset
    from fewstain.diffusion.training import train_diffusion

    train_diffusion(open_dataset(dataset), out, state, settings, channels=chosen, seed=seed, restart=restart)
    say(f"wrote {out}")


def sample(
    diffusion: Annotated[Path, typer.Argument(help="A trained denoiser's folder.")],
    out: Annotated[Path, typer.Option(help="Folder for the images.")],
    n: Annotated[int, typer.Option("-n", min=1, help="How many.")] = 16,
    method: Annotated[Method, typer.Option(help="How noise becomes an image.")] = Method.ddim,
    steps: Annotated[int, typer.Option(min=1, help="Calls of the network for each image.")] = 30,
    size: Annotated[int | None, typer.Option(min=1, help="Side in pixels; by default that of training crops.")] = None,
    seed: SeedOption = 0,
) -> None:
    """Paint new images like those the denoiser was trained on, as TIFF files in [-1, 1]."""
    from fewstain.diffusion.network import load_denoiser
    from fewstain.diffusion.record import check_weights, read_record
    from fewstain.diffusion.sampling import sample as sample_images
    from fewstain.images.write import write_image

    denoiser, record = load_denoiser(diffusion), read_record(diffusion)
    check_weights(diffusion, record)
    side = size if size is not None else int(record.settings["crop"])
    images = sample_images(denoiser, n, (side, side), steps=steps, seed=seed, method=method.value)
    for number, image in enumerate(images):
        write_image(out / f"sample-{number:04d}.tif", image.permute(1, 2, 0).numpy())
    say(f"wrote {n} images to {out}")
