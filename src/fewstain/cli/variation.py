"""Verbs that show where variation between images arises: branch, interpolate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import SeedOption, numbers_of, say, size_of
from fewstain.cli.painting import (
    AdapterOption,
    DiffusionDir,
    EtaOption,
    GuidanceOption,
    LikeOption,
    MethodOption,
    OutOption,
    SizeOption,
    StepsOption,
    WordsOption,
)
from fewstain.errors import UserError
from fewstain.toolbox import SAMPLER, STEPS, Method

POINTS = 6
BRANCH_STEPS = 100


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("branch")(branch)
    app.command("interpolate")(interpolate)


def branch(
    diffusion: DiffusionDir,
    out: OutOption,
    at: Annotated[
        str | None, typer.Option(metavar="K,K", help="Branch after these steps; by default at 6 places of the path.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=2, help="Outcomes from each point.")] = 8,
    method: MethodOption = Method.ddpm,
    steps: Annotated[
        int | None, typer.Option(min=1, help="Evaluations of the network; by default 100, or one for each timestep.")
    ] = None,
    size: SizeOption = None,
    eta: EtaOption = 0.0,
    adapter: AdapterOption = None,
    words: WordsOption = None,
    like: LikeOption = None,
    guidance_scale: GuidanceOption = None,
    seed: SeedOption = 0,
) -> None:
    """Follow one path from noise to image, and end it several times over from some of its points.

    Writes branches.png, a row of outcomes for each point, and variance.csv: how much they differ. What a row has in
    common was decided before its point.
    """
    import csv

    from fewstain.diffusion.conditions.opening import open_painter
    from fewstain.diffusion.methods import METHODS
    from fewstain.diffusion.mosaic import write_mosaic
    from fewstain.diffusion.variation import branch as branch_path
    from fewstain.diffusion.variation import outcome_variance
    from fewstain.storage import atomic_path

    denoiser, record = open_painter(
        diffusion, adapter=adapter, words=words, like=like or (), guidance_scale=guidance_scale, seed=seed
    )
    steps = steps or min(BRANCH_STEPS, len(denoiser.scheduler.betas))
    if at is None:
        points = tuple(sorted({round(steps * place / (POINTS - 1)) for place in range(POINTS)}))
    else:
        points = numbers_of(at, "--at")
    extent = size_of(size if size is not None else str(record.settings["crop"]))
    outcomes = branch_path(denoiser, extent, points, n, steps=steps, seed=seed, method=method.value, eta=eta)
    levels = METHODS[method.value].grid(denoiser.scheduler, steps)
    with atomic_path(out / "variance.csv") as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "sigma", "variance"))
        for point, variance in zip(points, outcome_variance(outcomes).tolist(), strict=True):
            writer.writerow((point, f"{levels[point]:.6g}", f"{variance:.6g}"))
    write_mosaic(out / "branches.png", outcomes.flatten(0, 1), columns=n)
    say(f"wrote {len(points)} rows of {n} outcomes to {out}")


def interpolate(
    diffusion: DiffusionDir,
    out: OutOption,
    noise_file: Annotated[
        list[Path] | None, typer.Option("--noise", help="Noise of the two ends: one file with two, or two files.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=2, help="Images on the path, both ends counted.")] = 9,
    method: MethodOption = SAMPLER,
    steps: StepsOption = STEPS,
    size: SizeOption = None,
    adapter: AdapterOption = None,
    words: WordsOption = None,
    like: LikeOption = None,
    guidance_scale: GuidanceOption = None,
    seed: SeedOption = 0,
) -> None:
    """Paint the images between two, along the great circle from the noise of one to that of the other.

    Without --noise the ends are the first two that `sample` paints with this seed. Writes path-0000.tif and so on, in
    [-1, 1], and path.png.
    """
    from fewstain.diffusion.conditions.opening import open_painter
    from fewstain.diffusion.draws import starting_noise
    from fewstain.diffusion.mosaic import write_mosaic
    from fewstain.diffusion.noise_file import read_noise
    from fewstain.diffusion.sampling import noise_shape
    from fewstain.diffusion.variation import interpolate as paint_path
    from fewstain.images.write import write_image

    denoiser, record = open_painter(
        diffusion, adapter=adapter, words=words, like=like or (), guidance_scale=guidance_scale, seed=seed
    )
    if noise_file:
        ends = [each for path in noise_file for each in read_noise(path, denoiser.noise_channels)]
    else:
        extent = size_of(size if size is not None else str(record.settings["crop"]))
        ends = list(starting_noise(seed, range(2), noise_shape(denoiser, extent)))
    if len(ends) != 2:
        names = ", ".join(str(path) for path in noise_file or ())
        raise UserError(f"{names}: {len(ends)} noises; a path has two ends: give two noises in all")
    images = paint_path(denoiser, ends[0], ends[1], n, steps=steps, method=method.value)
    for number, image in enumerate(images):
        write_image(out / f"path-{number:04d}.tif", image.permute(1, 2, 0).numpy())
    write_mosaic(out / "path.png", images, columns=n)
    say(f"wrote {n} images to {out}")
