"""The verbs of image-to-image translation: train-translation, translate."""

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
from fewstain.cli.painting import Method, MethodOption, OutOption, StepsOption
from fewstain.presets import TRANSLATION_PRESETS
from fewstain.settings import Preset, TranslationSettings

SECTION = "translation"
SHOWN = 4  # samples in a picture, at most


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("train-translation", epilog=settings_help(TranslationSettings, SECTION))(train)
    app.command("translate")(translate)


def train(
    dataset: DatasetDir,
    source: Annotated[
        str, typer.Option("--from", metavar="grey|DIR", help="The images made grey, or a folder of source images.")
    ],
    out: Annotated[Path, typer.Option(help="Folder for the translation; it appears whole, at the end.")],
    state: StateOption,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    seed: SeedOption = 0,
    restart: RestartOption = False,
) -> None:
    """Learn to turn one kind of image into another: grey into a dataset's colours, or one stain into a dataset's.

    Source images of a folder have the names of the dataset's, and show the same, pixel by pixel.
    """
    settings = section_settings(TranslationSettings, SECTION, preset, changes, TRANSLATION_PRESETS[preset])
    from fewstain.dataset import open_dataset
    from fewstain.diffusion.translation.training import train_translation

    train_translation(open_dataset(dataset), source, out, state, settings, seed=seed, restart=restart)
    say(f"wrote {out}")


def translate(
    translation: Annotated[Path, typer.Argument(help="A folder that train-translation made.")],
    images: Annotated[list[Path], typer.Argument(help="Source images; where grey is translated, RGB is made grey.")],
    out: OutOption,
    samples: Annotated[int, typer.Option(min=1, help="Of each image; more than one are averaged.")] = 1,
    method: MethodOption = Method.ddim,
    steps: StepsOption = 10,
    seed: SeedOption = 0,
) -> None:
    """Turn source images into images of the kind that the translation was trained to paint.

    Writes NAME.tif, a sample or the mean of several, in the dtype of the training's images, and NAME.png: the source,
    up to 4 samples, and the mean of all. One sample looks real; the mean is nearest to the truth.
    """
    import numpy as np
    import torch
    from accelerate.state import PartialState

    from fewstain.diffusion.mosaic import write_mosaic
    from fewstain.diffusion.pictures import check_outputs
    from fewstain.diffusion.translation.painting import source_of
    from fewstain.diffusion.translation.painting import translate as translate_image
    from fewstain.diffusion.translation.record import read_translation, scales
    from fewstain.images.read import read_image, stem
    from fewstain.images.write import write_image

    check_outputs(images, out)
    translator, residual, record = read_translation(translation)
    translator.to(PartialState().device)
    source_scale, target_scale = scales(record)
    for path in images:
        image = read_image(path)
        source = source_of(image.pixels, path, record.source, source_scale)
        painted = translate_image(
            translator, residual, source, samples=samples, steps=steps, seed=seed, method=method.value
        )
        mean = painted.mean(axis=0, keepdims=True)
        pixels = target_scale.restore(mean[0])
        write_image(out / f"{stem(path)}.tif", pixels, image.pixel_size_um, rgb=record.target_rgb)
        shown = [np.broadcast_to(source[None, :1], mean.shape), painted[:SHOWN]] + ([mean] if samples > 1 else [])
        row = torch.from_numpy(np.concatenate(shown))
        write_mosaic(out / f"{stem(path)}.png", row, columns=len(row))
    say(f"wrote {len(images)} translated images to {out}")
