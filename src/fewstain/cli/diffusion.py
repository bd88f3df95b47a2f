"""The verb that makes a denoiser: train-diffusion."""

from __future__ import annotations

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


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.command("train-diffusion", epilog=settings_help(DiffusionSettings, "diffusion"))(train)


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
