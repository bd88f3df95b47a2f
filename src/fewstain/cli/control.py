"""The verbs of ControlNet: train-control, paint."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import (
    DatasetDir,
    PresetOption,
    RestartOption,
    SeedOption,
    SetOption,
    StateOption,
    say,
    section_settings,
    settings_help,
)
from fewstain.cli.painting import DiffusionDir, MethodOption, OutOption, StepsOption
from fewstain.presets import CONTROL_PRESETS
from fewstain.settings import ControlSettings, Preset
from fewstain.toolbox import SAMPLER, STEPS, Condition

SECTION = "control"


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("train-control", epilog=settings_help(ControlSettings, SECTION))(train)
    app.command("paint")(paint)


def train(
    diffusion: Annotated[Path, typer.Argument(help="A trained denoiser's folder; it is not changed.")],
    dataset: DatasetDir,
    out: Annotated[Path, typer.Option(help="Folder for the control; it appears whole, at the end.")],
    state: StateOption,
    condition: Annotated[Condition, typer.Option(help="What images are to follow.")] = Condition.layout,
    layouts: Annotated[
        Path | None,
        typer.Option(help="Folder of masks of the images, as of `segment`; by default the dataset's own labels."),
    ] = None,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    seed: SeedOption = 0,
    restart: RestartOption = False,
) -> None:
    """Teach a denoiser to paint objects where a label image has them, or images with given edges (ControlNet)."""
    settings = section_settings(ControlSettings, SECTION, preset, changes, CONTROL_PRESETS[preset])
    from fewstain.dataset import open_dataset
    from fewstain.diffusion.control.training import train_control
    from fewstain.errors import UserError

    if layouts is not None and condition is not Condition.layout:
        raise UserError("--layouts: edges are those of the images themselves; leave it out")
    train_control(
        diffusion,
        open_dataset(dataset),
        out,
        state,
        settings,
        condition=condition,
        layouts=layouts,
        seed=seed,
        restart=restart,
    )
    say(f"wrote {out}")


def paint(
    diffusion: DiffusionDir,
    files: Annotated[
        list[Path], typer.Argument(metavar="LAYOUT...", help="Label images; for a control of edges, images.")
    ],
    control: Annotated[Path, typer.Option(help="A folder that train-control made.")],
    out: OutOption,
    method: MethodOption = SAMPLER,
    steps: StepsOption = STEPS,
    seed: SeedOption = 0,
) -> None:
    """Paint images whose objects lie where label images have them, or that have the edges of given images.

    Writes NAME.tif for each, in the dtype of the denoiser's images, and NAME.png, what was to be followed beside what
    was painted. A result depends on its layout, the seed and the options, not on what else is painted.
    """
    import torch

    from fewstain.diffusion.control.painting import file_pixels, paint_conditions
    from fewstain.diffusion.control.reading import read_condition
    from fewstain.diffusion.control.record import open_control
    from fewstain.diffusion.control.training import shown
    from fewstain.diffusion.mosaic import write_mosaic
    from fewstain.diffusion.pictures import check_outputs, open_denoiser
    from fewstain.images.read import stem
    from fewstain.images.write import write_image

    check_outputs(files, out)
    denoiser, _ = open_denoiser(diffusion)
    opened, record = open_control(control, denoiser, diffusion)
    for path in files:
        planes = read_condition(path, diffusion, record, denoiser)
        painted = paint_conditions(denoiser, opened, planes, steps=steps, seed=seed, method=method.value)
        pixels = file_pixels(painted[0].numpy(), record)
        write_image(out / f"{stem(path)}.tif", pixels, rgb=record.normaliser.joint)
        pair = torch.cat([shown(planes, painted.shape[1]), painted])
        write_mosaic(out / f"{stem(path)}.png", pair, columns=2)
    say(f"wrote {len(files)} painted images to {out}")
