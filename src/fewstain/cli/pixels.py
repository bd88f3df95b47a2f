"""Verbs of the pixel ensemble: fit-pixels, segment."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import (
    DatasetDir,
    PixelSizeOption,
    PresetOption,
    ResultsDir,
    SeedOption,
    SetOption,
    say,
    section_settings,
    settings_help,
)
from fewstain.errors import UserError
from fewstain.pairs.method import Method
from fewstain.settings import PixelSettings, Preset, SegmentSettings


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("fit-pixels", epilog=settings_help(PixelSettings, "pixels"))(fit)
    app.command("segment", epilog=settings_help(SegmentSettings, "segment"))(segment)


def fit(
    dataset: DatasetDir,
    diffusion: Annotated[Path, typer.Option(help="The trained denoiser's folder.")],
    out: Annotated[Path, typer.Option(help="Folder for ensemble.safetensors and pixels.json.")],
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    n_labels: Annotated[
        int | None, typer.Option(min=1, help="Use only the first so many label files, by name.")
    ] = None,
    seed: SeedOption = 0,
) -> None:
    """Fit the ensemble to the labels, choose timesteps, blocks and decoder out-of-fold, and report the scores."""
    settings = section_settings(PixelSettings, "pixels", preset, changes)
    start = time.monotonic()
    from accelerate.state import PartialState

    from fewstain.dataset import open_dataset
    from fewstain.diffusion.progress import device_name, peak_memory_bytes
    from fewstain.pixels.fit import fit_pixels
    from fewstain.report.scores import write_cost

    record = fit_pixels(open_dataset(dataset), diffusion, out, settings, n_labels=n_labels, seed=seed)
    if record.out_of_fold["spatially_blocked"]:
        say(
            f"warning: {dataset / 'labels'}: the labels come from fewer than three images, so the out-of-fold scores "
            "are of other places in the same images and may flatter; label windows in more images"
        )
    device = PartialState().device
    write_cost(out, time.monotonic() - start, peak_memory_bytes(device), device_name(device))
    say(f"wrote {out}")


def segment(
    results: ResultsDir,
    images: Annotated[list[Path], typer.Argument(help="Image files, or folders of them.")],
    out: Annotated[Path, typer.Option(help="Folder for masks/, uncertainty/, measurements.csv and counts.csv.")],
    preset: Annotated[
        Preset | None,
        typer.Option(help="How much computing; by default as the results were made (segment.json there), or else cpu."),
    ] = None,
    changes: SetOption = None,
    pixel_size_um: PixelSizeOption = None,
    masks: Annotated[Path | None, typer.Option(help="Folder for the masks, instead of masks/ in --out.")] = None,
    method: Annotated[
        Method | None,
        typer.Option("--with", help="What segments; by default what train-segmenter chose, or else the ensemble."),
    ] = None,
) -> None:
    """Find and measure the objects of images. Images done before by the same model are not computed again."""
    from fewstain.pixels.segment_file import read_segment_settings, write_segment_settings

    kept = read_segment_settings(results) if preset is None else None
    settings = section_settings(SegmentSettings, "segment", preset or Preset.cpu, changes, kept)
    paths = _image_files(images)
    from fewstain.pairs.opening import load
    from fewstain.pixels.update import update_files

    model = load(results, method=method)
    new = update_files(model, paths, out, settings, masks=masks, pixel_size_um=pixel_size_um, tell=say)
    if out.resolve() == results.resolve():
        write_segment_settings(results, settings)
    say(f"{out}: {len(paths)} images, {new} of them segmented now")


def _image_files(given: list[Path]) -> list[Path]:
    """Replace folders by the images in them; an image that is given twice counts once."""
    from fewstain.dataset import list_files
    from fewstain.images.read import stem

    files: dict[tuple[str, Path], Path] = {}  # a link of another name has a mask of its own
    for path in given:
        found = list_files(path) if path.is_dir() else [path]
        if not found:
            raise UserError(f"{path}: no images in this folder; give TIFF, PNG or JPEG files")
        for file in found:
            files.setdefault((stem(file), file.resolve()), file)
    return list(files.values())
