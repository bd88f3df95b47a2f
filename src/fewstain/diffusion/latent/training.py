"""Training of a denoiser in the latents of a trained VAE."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DDPMScheduler
from torch import Tensor

from fewstain.dataset import Dataset
from fewstain.diffusion.folder import check_replaceable
from fewstain.diffusion.latent.vae import Vae
from fewstain.diffusion.latent.vae_training import open_vae
from fewstain.diffusion.loop import run
from fewstain.diffusion.pool import CropSource
from fewstain.diffusion.pool_index import remove_pixels
from fewstain.diffusion.record import CONTENTS, DenoiserRecord, write_denoiser
from fewstain.diffusion.session import Session, open_session
from fewstain.diffusion.training import denoising_loss, new_denoiser
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings
from fewstain.storage import read_json, write_json

SCALE_FILE = "latents.json"
MEASURED = 256  # crops that the latents' mean and variance are measured on
ENCODED_TOGETHER = 16


def train_latent_diffusion(
    dataset: Dataset,
    vae_dir: Path,
    out: Path,
    state: Path,
    settings: DiffusionSettings,
    *,
    channels: tuple[int, ...] | None = None,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train a denoiser of latents on the pool of a dataset, or go on where the last call was stopped.

    Parameters
    ----------
    dataset
        Only its `images` are read.
    vae_dir
        What `train_vae` wrote; of this dataset, or of images with as many channels.
    out
        Folder that takes the denoiser and a copy of the VAE: `LatentDenoiser.save`'s layout, fewstain.json, loss.csv,
        samples.png. It appears whole, at the end, and needs nothing else to paint.
    state
        Folder of the training state, as of `train_diffusion`.
    settings
        The `diffusion` section; `crop` is in pixels of the image, the network works on latents.
    channels, seed, restart
        As of `train_diffusion`.

    Raises
    ------
    UserError
        A folder without a VAE, or a VAE for images of another number of channels; else as `train_diffusion`.
    KeyboardInterrupt
        Ctrl-C, after the state was saved.
    """
    start = time.monotonic()
    check_replaceable(out, CONTENTS, DenoiserRecord.holder)
    vae, vae_record = open_vae(vae_dir)
    multiple = settings.stride * vae.factor
    if settings.crop % multiple:
        raise UserError(
            f"diffusion.crop is {settings.crop}; in latents of the VAE in {vae_dir}, {vae.factor} pixels apart, this "
            f"network needs a multiple of {multiple}"
        )
    session = open_session(
        dataset,
        state,
        settings,
        "diffusion",
        channels=channels,
        seed=seed,
        restart=restart,
        more={"vae": vae_record.weights_sha256},
        pixels_needed=not (state / SCALE_FILE).is_file(),
    )
    accelerator = session.accelerator
    if len(session.index.channels) != vae.image_channels:
        raise UserError(
            f"{vae_dir}: a VAE for images of {vae.image_channels} channels, but {len(session.index.channels)} of "
            f"{dataset.root} are to be modelled; train a VAE on these images, or choose channels with --channels"
        )
    vae = vae.to(accelerator.device).requires_grad_(False)
    standardise(vae, session, settings.crop, seed)
    denoiser = new_denoiser(settings, vae.latent_channels, seed)
    # latents know no bounds, unlike pixels
    denoiser.scheduler = DDPMScheduler.from_config(denoiser.scheduler.config, clip_sample=False)
    training = session.training(denoiser, settings)
    if not session.finished:
        pool = LatentPool(session.pool(), vae)

        def loss_of(step: int) -> Tensor:
            random = np.random.default_rng((seed, step))
            return denoising_loss(training.network, training, pool, settings, accelerator, random)

        run(training, loss_of, settings, accelerator, state)
    seconds = time.monotonic() - start
    write_denoiser(out, training, session.index, settings, seed, session_seconds=seconds, vae=vae)
    remove_pixels(state)


class LatentPool:
    """Random crops of a pool as standardised latents.

    A crop is flipped and turned before it is encoded: a VAE's latents of a turned image are not the turned latents.
    """

    def __init__(self, pool: CropSource, vae: Vae) -> None:
        self._pool, self._vae = pool, vae

    def crops(self, n: int, size: int, random: np.random.Generator) -> Tensor:
        """Draw (n, L, size / f, size / f) float32 latents of crops with a side of `size` pixels; as `Pool.crops`."""
        return self._vae.encode(self._pool.crops(n, size, random))


def standardise(vae: Vae, session: Session, crop: int, seed: int) -> None:
    """Let the VAE's latents of the pool have mean 0 and variance 1, measured once for a training.

    What was measured lies beside the training state, for sessions that no longer have the pool's pixels. A scale of one
    channel is what Rombach et al. (CVPR 2022, section 3.3 and appendix G) divide all by.
    """
    file = session.state / SCALE_FILE
    of = {"vae": session.identity["vae"], "pool": [list(each) for each in session.identity["pool"]], "seed": seed}
    of |= {"channels": list(session.index.channels), "crop": crop}
    kept = read_json(file) if file.is_file() else {}
    if kept.get("of") != of:
        mean, deviation = latent_scale(vae, session.pool(), crop, seed)
        kept = {"of": of, "mean": mean, "deviation": deviation}
        write_json(file, kept)
    vae.standardise(kept["mean"], kept["deviation"])


def latent_scale(vae: Vae, pool: CropSource, crop: int, seed: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation of each channel of the latents of random crops; both (L,)."""
    random = np.random.default_rng((seed, MEASURED))
    batches = range(0, MEASURED, ENCODED_TOGETHER)
    latents = torch.cat([vae.encode(pool.crops(ENCODED_TOGETHER, crop, random)).cpu() for _ in batches]).double()
    mean, deviation = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3))
    return mean.tolist(), deviation.clamp(min=1e-6).tolist()
