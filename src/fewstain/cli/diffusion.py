"""The verbs that make a denoiser, of pixels or of latents, and fit it to another stain."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import (
    DatasetDir,
    MaybeStateOption,
    ModelledOption,
    PresetOption,
    RestartOption,
    SeedOption,
    SetOption,
    StateOption,
    channels_of,
    say,
    section_settings,
    settings_help,
)
from fewstain.presets import LATENT_PRESETS, VAE_PRESETS
from fewstain.settings import DiffusionSettings, Preset, VaeSettings
from fewstain.toolbox import AdapterSettings, Target

ADAPTER = AdapterSettings()  # defaults


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("train-diffusion", epilog=settings_help(DiffusionSettings, "diffusion"))(train)
    app.command("train-vae", epilog=settings_help(VaeSettings, "vae"))(train_vae)
    app.command("adapt")(adapt)


def train(
    dataset: DatasetDir,
    out: Annotated[Path, typer.Option(help="Folder for the trained denoiser; it appears whole, at the end.")],
    state: StateOption,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    vae: Annotated[
        Path | None, typer.Option(help="Folder of a VAE, of train-vae: train a denoiser of its latents, not of pixels.")
    ] = None,
    channels: ModelledOption = None,
    seed: SeedOption = 0,
    restart: RestartOption = False,
) -> None:
    """Learn what a dataset's images look like, without labels: train a denoiser on all of them.

    With --vae the presets have other numbers: crops of 128 pixels, blocks of 1 (unshuffle), and timesteps drawn
    evenly (small_timestep_share 0).
    """
    base = LATENT_PRESETS[preset] if vae is not None else None
    settings = section_settings(DiffusionSettings, "diffusion", preset, changes, base)
    chosen = channels_of(channels)
    from fewstain.dataset import open_dataset

    if vae is None:
        from fewstain.diffusion.training import train_diffusion

        train_diffusion(open_dataset(dataset), out, state, settings, channels=chosen, seed=seed, restart=restart)
    else:
        from fewstain.diffusion.latent.training import train_latent_diffusion

        train_latent_diffusion(
            open_dataset(dataset), vae, out, state, settings, channels=chosen, seed=seed, restart=restart
        )
    say(f"wrote {out}")


def train_vae(
    dataset: DatasetDir,
    out: Annotated[Path, typer.Option(help="Folder for the trained VAE; it appears whole, at the end.")],
    state: StateOption,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    channels: ModelledOption = None,
    seed: SeedOption = 0,
    restart: RestartOption = False,
) -> None:
    """Learn to make a dataset's images small and back, without labels: train a VAE, for train-diffusion --vae.

    Writes reconstructions.png beside it: crops of the images, and under each what comes back of it.
    """
    settings = section_settings(VaeSettings, "vae", preset, changes, VAE_PRESETS[preset])
    chosen = channels_of(channels)
    from fewstain.dataset import open_dataset
    from fewstain.diffusion.latent import vae_training

    vae_training.train_vae(open_dataset(dataset), out, state, settings, channels=chosen, seed=seed, restart=restart)
    record = vae_training.open_vae(out)[1]
    say(f"wrote {out}; images come back at a PSNR of {record.pool_psnr:.1f} dB, an SSIM of {record.pool_ssim:.3f}")


def adapt(
    diffusion: Annotated[Path, typer.Argument(help="A trained denoiser's folder; it is not changed.")],
    dataset: DatasetDir,
    out: Annotated[Path, typer.Option(help="Folder for the adapter; it appears whole, at the end.")],
    state: MaybeStateOption = None,
    rank: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Rank of the change to each layer. By default 4, or as much as keeps the adapter below 5 % of the "
            "denoiser's size. Not with keys-values.",
        ),
    ] = ADAPTER.rank,
    target: Annotated[
        Target, typer.Option(help="Layers to adapt; keys-values replaces those of attention.")
    ] = ADAPTER.target,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = ADAPTER.steps,
    learning_rate: Annotated[float | None, typer.Option(help="Its highest value; by default 0.01.")] = None,
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="0,2",
            help="Channels to learn, counted from 0, as many as the denoiser sees; by default its own where the files "
            "have as many as its files, else all.",
        ),
    ] = None,
    seed: SeedOption = 0,
    restart: RestartOption = False,
) -> None:
    """Fit a trained denoiser to another stain, from 20 to 50 unlabeled images of it (LoRA, Hu et al. 2022).

    Writes an adapter, a small file of changes to the denoiser's layers, which `sample`, `edit` and others
    take as --adapter.
    """
    chosen = channels_of(channels)
    from fewstain.dataset import open_dataset
    from fewstain.diffusion.adaptation import adapt as adapt_denoiser
    from fewstain.diffusion.adapter import ADAPTER_FILE
    from fewstain.diffusion.network import WEIGHTS

    adapt_denoiser(
        diffusion,
        open_dataset(dataset),
        out,
        state,
        rank=rank,
        target=target,
        steps=steps,
        learning_rate=learning_rate,
        channels=chosen,
        seed=seed,
        restart=restart,
    )
    share = (out / ADAPTER_FILE).stat().st_size / (diffusion / "unet" / WEIGHTS).stat().st_size
    say(f"wrote {out}, {_told_share(share, target)}")


def _told_share(share: float, target: Target) -> str:
    """Say how large an adapter is, as a share of its denoiser; with a warning where it is no small one."""
    from fewstain.diffusion.lora import MOST_SHARE

    told = f"{share:.1%} of the denoiser's size"
    if target is not Target.keys_values:
        told += "; it grows with --rank"
    if share >= MOST_SHARE:
        smaller = "--target attention" if target is Target.keys_values else "a lower --rank, down to 1,"
        told += f"\nwarning: {MOST_SHARE:.0%} of it or more is much for an adapter; {smaller} makes a smaller one"
    return told
