"""Training of the VAE on a pool of unlabeled images, and the folder it is written to."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor

from fewstain.dataset import Dataset
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.diffusion.latent.code import fit_code
from fewstain.diffusion.latent.reconstruction import psnr, ssim, vae_loss
from fewstain.diffusion.latent.vae import Vae, build_vae, load_vae
from fewstain.diffusion.loop import run
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.network import VAE_FOLDER, WEIGHTS
from fewstain.diffusion.pool import CropSource
from fewstain.diffusion.pool_index import remove_pixels
from fewstain.diffusion.record import (
    LOSS_FILE,
    RECORD_FILE,
    DenoiserRecord,
    check_weight_file,
    describe,
    read_record_of,
    write_losses,
)
from fewstain.diffusion.seeding import seeded
from fewstain.diffusion.session import Session, open_session
from fewstain.diffusion.state import Training
from fewstain.errors import UserError
from fewstain.settings import VaeSettings

PICTURE_FILE = "reconstructions.png"
CONTENTS = {VAE_FOLDER, RECORD_FILE, LOSS_FILE, PICTURE_FILE}
SHOWN = 8  # crops in the picture
MEASURED = 64  # crops that the record's numbers are of
CODED = 256  # crops that the code is fitted to


@dataclass(frozen=True, kw_only=True)
class VaeRecord(DenoiserRecord):
    """fewstain.json in a VAE's folder.

    Attributes
    ----------
    settings
        The `vae` section.
    pool_psnr, pool_ssim
        Of what becomes of crops of the pool, encoded and decoded: dB, and the mean structural similarity.
    """

    holder: ClassVar[str] = "a VAE"

    pool_psnr: float
    pool_ssim: float


def train_vae(
    dataset: Dataset,
    out: Path,
    state: Path,
    settings: VaeSettings,
    *,
    channels: tuple[int, ...] | None = None,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train a VAE on the pool of a dataset, or go on where the last call was stopped.

    Parameters
    ----------
    dataset, state, channels, seed, restart
        As of `train_diffusion`.
    out
        Folder that takes the VAE: `Vae.save`'s layout, fewstain.json, loss.csv, reconstructions.png. It appears whole,
        at the end.
    settings
        The `vae` section.

    Raises
    ------
    UserError, KeyboardInterrupt
        As of `train_diffusion`.
    """
    start = time.monotonic()
    check_replaceable(out, CONTENTS, VaeRecord.holder)
    if settings.crop % settings.factor:
        raise UserError(f"vae.crop is {settings.crop}; this network needs a multiple of {settings.factor}")
    session = open_session(
        dataset, state, settings, "vae", channels=channels, seed=seed, restart=restart, pixels_needed=True
    )
    pool = session.pool()
    training = session.training(_new_vae(settings, pool, seed), settings)
    if not session.finished:

        def loss_of(step: int) -> Tensor:
            random = np.random.default_rng((seed, step))
            return reconstruction_loss(training, pool, settings, session.accelerator, random)

        run(training, loss_of, settings, session.accelerator, state, title="training the VAE")
    write_vae(out, training, pool, session, settings, seed, session_seconds=time.monotonic() - start)
    remove_pixels(state)


def _new_vae(settings: VaeSettings, pool: CropSource, seed: int) -> Vae:
    """Make an untrained VAE that is a function of the seed and the pool."""
    crops = pool.crops(CODED, settings.crop, np.random.default_rng((seed, settings.steps + 1)))
    code = fit_code(crops, settings.latent_channels, settings.factor)
    with seeded(seed):
        return build_vae(settings, code)


def reconstruction_loss(
    training: Training[Vae],
    pool: CropSource,
    settings: VaeSettings,
    accelerator: Accelerator,
    random: np.random.Generator,
) -> Tensor:
    """Loss of a batch of crops, each decoded from a draw of its posterior; () on the device, with its graph.

    Parameters
    ----------
    random
        The only source of chance.
    """
    device = accelerator.device
    images = training.precision.lay_out(pool.crops(settings.batch_size, settings.crop, random))
    generator = torch.Generator(device).manual_seed(int(random.integers(2**63)))
    with accelerator.autocast():
        posterior = training.network.posterior(images)
        again = training.network.image_of(posterior.sample(generator))
    return vae_loss(images, again.float(), posterior, settings)


def write_vae(
    out: Path,
    training: Training[Vae],
    pool: CropSource,
    session: Session,
    settings: VaeSettings,
    seed: int,
    *,
    session_seconds: float,
) -> None:
    """Write the trained VAE, with averaged weights, and its report in place of the folder `out`."""
    start = time.monotonic()
    vae = training.averaged()
    images = pool.crops(MEASURED, settings.crop, np.random.default_rng((seed, settings.steps)))
    again = torch.cat([vae.decode(vae.encode(batch)) for batch in images.split(settings.batch_size)]).cpu()
    images = images.cpu()
    with replaced_folder(out) as folder:
        vae.save(folder)
        write_losses(folder, training.losses.tolist())
        write_mosaic(folder / PICTURE_FILE, torch.cat([images[:SHOWN], again[:SHOWN]]), columns=SHOWN)
        seconds = max(session_seconds, training.seconds) + time.monotonic() - start
        weights = folder / VAE_FOLDER / WEIGHTS
        told = describe(training, session.index, settings, seed, wall_seconds=seconds, weights=weights)
        VaeRecord(**vars(told), pool_psnr=psnr(images, again), pool_ssim=ssim(images, again)).write(folder)


def open_vae(folder: Path) -> tuple[Vae, VaeRecord]:
    """Read a VAE that `train_vae` wrote, and its record.

    Raises
    ------
    UserError
        If the folder holds none, or its weights are damaged or not its own.
    """
    vae = load_vae(folder)
    record = read_record_of(VaeRecord, folder)
    check_weight_file(folder / VAE_FOLDER / WEIGHTS, record.weights_sha256, VaeRecord.holder)
    return vae, record
