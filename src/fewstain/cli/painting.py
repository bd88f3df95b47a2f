"""Verbs that paint with a trained denoiser, and those that noise: sample, edit, invert, noise."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import SeedOption, numbers_of, say, size_of
from fewstain.errors import UserError
from fewstain.toolbox import SAMPLER, STEPS, Method

NOISED_TO = (0.05, 0.2, 0.5, 1.0)  # shares of the schedule


DiffusionDir = Annotated[Path, typer.Argument(help="A trained denoiser's folder.")]
Images = Annotated[list[Path], typer.Argument(help="Images of the kind that the denoiser was trained on.")]
OutOption = Annotated[Path, typer.Option(help="Folder for the results.")]
MethodOption = Annotated[Method, typer.Option(help="How noise becomes an image.")]
StepsOption = Annotated[
    int, typer.Option(min=1, help="Evaluations of the network for each image; heun takes 2 a step, rk4 takes 4.")
]
SizeOption = Annotated[
    str | None,
    typer.Option(metavar="N|ROWSxCOLUMNS", help="Size of the images in pixels; by default that of training crops."),
]
EtaOption = Annotated[
    float,
    typer.Option(min=0.0, max=1.0, help="ddim only: noise drawn in each step, from none (0) to that of ddpm (1)."),
]
AdapterOption = Annotated[
    Path | None, typer.Option(help="Folder of an adapter, of `adapt`: work in the stain that it was made for.")
]
WordsOption = Annotated[
    str | None, typer.Option(metavar="TEXT", help='What to paint, of a denoiser of train-words: "DAPI, heart, 20x".')
]
LikeOption = Annotated[
    list[Path] | None,
    typer.Option(
        help="An image of what to paint, of a denoiser of train-few-shot; repeatable, as in --like A --like B."
    ),
]
GuidanceOption = Annotated[
    float | None,
    typer.Option(min=0.0, help="How much words or images count: 0 not at all, 1 (the default) as learned, 2 much."),
]
NoiseOption = Annotated[Path | None, typer.Option("--noise", help="Start from this noise, of `sample` or `invert`.")]


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("sample")(sample)
    app.command("edit")(edit)
    app.command("invert")(invert)
    app.command("noise")(noise)


def sample(
    diffusion: DiffusionDir,
    out: OutOption,
    n: Annotated[int | None, typer.Option("-n", min=1, help="How many; 16, or as many as --noise holds.")] = None,
    method: MethodOption = SAMPLER,
    steps: StepsOption = STEPS,
    size: SizeOption = None,
    eta: EtaOption = 0.0,
    noise_file: NoiseOption = None,
    adapter: AdapterOption = None,
    words: WordsOption = None,
    like: LikeOption = None,
    guidance_scale: GuidanceOption = None,
    seed: SeedOption = 0,
) -> None:
    """Paint new images like those the denoiser was trained on, or like words or images that it was trained to follow.

    Writes sample-0000.tif and so on, in [-1, 1]; samples.png, all of them to look at; and noise.safetensors, the noise
    they were painted from: with it, and the same seed and options, --noise paints them again bit for bit.
    """
    from fewstain.diffusion.conditions.opening import open_painter
    from fewstain.diffusion.draws import starting_noise
    from fewstain.diffusion.mosaic import write_mosaic
    from fewstain.diffusion.noise_file import read_noise, write_noise
    from fewstain.diffusion.sampling import noise_shape
    from fewstain.diffusion.sampling import sample as sample_images
    from fewstain.images.write import write_image

    wanted = size_of(size) if size is not None else None
    denoiser, record = open_painter(
        diffusion, adapter=adapter, words=words, like=like or (), guidance_scale=guidance_scale, seed=seed
    )
    if noise_file is None:
        extent = wanted or size_of(str(record.settings["crop"]))
        begun = starting_noise(seed, range(n or 16), noise_shape(denoiser, extent))
    else:
        begun = read_noise(noise_file, denoiser.noise_channels)
        extent = (begun.shape[2] * denoiser.factor, begun.shape[3] * denoiser.factor)
        if n is not None and n > len(begun):
            raise UserError(
                f"{noise_file}: holds noise for {len(begun)} images, not {n}; ask for fewer, or leave -n out"
            )
        if wanted is not None and wanted != extent:
            found, asked = (" x ".join(map(str, each)) for each in (extent, wanted))
            raise UserError(f"{noise_file}: noise for images of {found} pixels, not {asked}; leave --size out")
        begun = begun[:n]
    images = sample_images(
        denoiser, len(begun), extent, steps=steps, seed=seed, method=method.value, eta=eta, noise=begun
    )
    for number, image in enumerate(images):
        write_image(out / f"sample-{number:04d}.tif", image.permute(1, 2, 0).numpy())
    write_mosaic(out / "samples.png", images)
    write_noise(out / "noise.safetensors", begun)
    say(f"wrote {len(images)} images to {out}")


def edit(
    diffusion: DiffusionDir,
    images: Images,
    out: OutOption,
    strength: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="From 0, nothing changes, to 1, nothing stays.")
    ] = 0.5,
    method: MethodOption = SAMPLER,
    steps: StepsOption = STEPS,
    eta: EtaOption = 0.0,
    adapter: AdapterOption = None,
    words: WordsOption = None,
    like: LikeOption = None,
    guidance_scale: GuidanceOption = None,
    seed: SeedOption = 0,
) -> None:
    """Turn rough paintings into images like those the denoiser was trained on (SDEdit, Meng et al. 2022).

    Writes NAME.tif for each, in the intensities of the painting, and NAME.png, painting and result side by side. A
    result depends on its painting, the seed and the options, not on what else is edited.
    """
    import torch

    from fewstain.diffusion.conditions.opening import open_painter, read_painting
    from fewstain.diffusion.editing import edit as edit_images
    from fewstain.diffusion.mosaic import write_mosaic
    from fewstain.diffusion.pictures import check_outputs

    check_outputs(images, out)
    denoiser, record = open_painter(
        diffusion, adapter=adapter, words=words, like=like or (), guidance_scale=guidance_scale, seed=seed
    )
    for path in images:
        picture = read_painting(adapter or diffusion, record, path)
        edited = edit_images(denoiser, picture.planes, strength, steps=steps, seed=seed, method=method.value, eta=eta)
        picture.write(out / f"{picture.name}.tif", edited[0])
        write_mosaic(out / f"{picture.name}.png", torch.cat([picture.planes, edited]), columns=2)
    say(f"wrote {len(images)} edited images to {out}")


def invert(
    diffusion: DiffusionDir,
    images: Images,
    out: OutOption,
    steps: Annotated[int, typer.Option(min=1, help="Steps of ddim, down as well as up.")] = 50,
    rounds: Annotated[int, typer.Option(min=1, help="Evaluations of the network in each step.")] = 3,
    adapter: AdapterOption = None,
    words: WordsOption = None,
    like: LikeOption = None,
    guidance_scale: GuidanceOption = None,
    seed: SeedOption = 0,
) -> None:
    """Find the noise from which ddim paints an image, and tell how well it does.

    Writes NAME.safetensors for each image, which `sample --method ddim --noise` takes, and NAME.png: the image, and
    what is painted from the noise in as many steps.
    """
    import torch
    from skimage.metrics import peak_signal_noise_ratio

    from fewstain.diffusion.conditions.opening import open_painter, read_painting
    from fewstain.diffusion.inversion import invert as invert_images
    from fewstain.diffusion.mosaic import write_mosaic
    from fewstain.diffusion.noise_file import write_noise
    from fewstain.diffusion.pictures import check_outputs
    from fewstain.diffusion.sampling import check_size
    from fewstain.diffusion.sampling import sample as sample_images
    from fewstain.images.read import read_header

    check_outputs(images, out)
    denoiser, record = open_painter(
        diffusion, adapter=adapter, words=words, like=like or (), guidance_scale=guidance_scale, seed=seed
    )
    for path in images:
        header = read_header(path)
        check_size(denoiser, (header.height, header.width), path)
    for path in images:
        picture = read_painting(adapter or diffusion, record, path)
        found = invert_images(denoiser, picture.planes, steps=steps, rounds=rounds)
        extent = (picture.planes.shape[2], picture.planes.shape[3])
        again = sample_images(denoiser, 1, extent, steps=steps, seed=0, method="ddim", noise=found)
        write_noise(out / f"{picture.name}.safetensors", found)
        write_mosaic(out / f"{picture.name}.png", torch.cat([picture.planes, again]), columns=2)
        decibels = peak_signal_noise_ratio(picture.planes.numpy(), again.numpy(), data_range=2)
        say(f"{path}: painted again from its noise at a PSNR of {decibels:.1f} dB")
    say(f"wrote the noise of {len(images)} images to {out}")


def noise(
    diffusion: DiffusionDir,
    images: Images,
    out: OutOption,
    timesteps: Annotated[
        str | None, typer.Option(metavar="T,T", help="Timesteps to noise to; by default four along the schedule.")
    ] = None,
    adapter: AdapterOption = None,
    seed: SeedOption = 0,
) -> None:
    """Noise images as training does, to any timestep at once: NAME-t0200.tif, and NAME.png with all of them."""
    import torch

    from fewstain.diffusion.draws import starting_noise
    from fewstain.diffusion.forward import check_timesteps, diffuse
    from fewstain.diffusion.mosaic import write_mosaic
    from fewstain.diffusion.pictures import check_outputs, open_denoiser, read_picture
    from fewstain.images.write import write_image

    check_outputs(images, out)
    denoiser, record = open_denoiser(diffusion, adapter)
    last = len(denoiser.scheduler.betas) - 1
    chosen = (
        numbers_of(timesteps, "--timesteps")
        if timesteps is not None
        else tuple(round(share * last) for share in NOISED_TO)
    )
    check_timesteps(denoiser.scheduler, chosen)
    for path in images:
        picture = read_picture(adapter or diffusion, record, path)
        shape = tuple(picture.planes.shape[1:])
        clean = picture.planes.expand(len(chosen), *shape)
        noised = diffuse(denoiser.scheduler, clean, torch.tensor(chosen), starting_noise(seed, [0], shape))
        for timestep, image in zip(chosen, noised, strict=True):
            write_image(out / f"{picture.name}-t{timestep:04d}.tif", image.permute(1, 2, 0).numpy())
        write_mosaic(out / f"{picture.name}.png", torch.cat([picture.planes, noised]), columns=len(chosen) + 1)
    say(f"wrote {len(images)} images, noised to {len(chosen)} timesteps each, to {out}")
