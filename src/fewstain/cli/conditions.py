"""The verbs that train a denoiser across several stains: train-words, train-few-shot."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import PresetOption, SeedOption, SetOption, StateOption, say, section_settings, settings_help
from fewstain.presets import CONDITIONAL_PRESETS
from fewstain.settings import ConditionalSettings, Preset

SECTION = "conditions"

Datasets = Annotated[list[Path], typer.Argument(help="Folders of datasets, one for each stain, with images/ in them.")]
OutOption = Annotated[Path, typer.Option(help="Folder for the trained denoiser; it appears whole, at the end.")]
RestartOption = Annotated[
    bool,
    typer.Option("--restart", help="Begin anew where settings, words or images have changed, instead of refusing."),
]


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    epilog = settings_help(ConditionalSettings, SECTION)
    app.command("train-words", epilog=epilog)(train_words)
    app.command("train-few-shot", epilog=epilog)(train_few_shot)


def train_words(
    datasets: Datasets,
    out: OutOption,
    state: StateOption,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    seed: SeedOption = 0,
    restart: RestartOption = False,
) -> None:
    """Train one denoiser on several stains, so that `sample --words` paints the one that is described.

    Each dataset's folder holds words.txt, its description: stain, organ and magnification, as in "DAPI, mouse heart,
    20x". Beside RGB images, grey ones are repeated in every channel.
    """
    settings = _settings(preset, changes)
    from fewstain.dataset import open_dataset
    from fewstain.diffusion.conditions import training

    opened = [open_dataset(dataset) for dataset in datasets]
    training.train_words(opened, out, state, settings, seed=seed, restart=restart)
    say(f"wrote {out}")


def train_few_shot(
    datasets: Datasets,
    out: OutOption,
    state: StateOption,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    seed: SeedOption = 0,
    restart: RestartOption = False,
) -> None:
    """Train one denoiser on images of many looks, so that `sample --like` paints what a few images show.

    It learns from sets of crops of one image; every image must have room for two. Beside RGB images, grey ones are
    repeated in every channel.
    """
    settings = _settings(preset, changes)
    from fewstain.dataset import open_dataset
    from fewstain.diffusion.conditions import training

    opened = [open_dataset(dataset) for dataset in datasets]
    training.train_few_shot(opened, out, state, settings, seed=seed, restart=restart)
    say(f"wrote {out}")


def _settings(preset: Preset, changes: list[str] | None) -> ConditionalSettings:
    return section_settings(ConditionalSettings, SECTION, preset, changes, CONDITIONAL_PRESETS[preset])
