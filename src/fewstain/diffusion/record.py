"""What the denoiser's folder tells about its training, and what it holds."""

from __future__ import annotations

import csv
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np
from torch import Tensor

import fewstain
from fewstain.diffusion.folder import replaced_folder
from fewstain.diffusion.latent.denoiser import LatentDenoiser
from fewstain.diffusion.latent.vae import Vae
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.network import VAE_FOLDER, WEIGHTS, Denoiser
from fewstain.diffusion.pool_index import PoolIndex
from fewstain.diffusion.progress import device_name, peak_memory_bytes
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.state import Network, Training
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.settings import DiffusionSettings, TrainingSettings
from fewstain.storage import misfit, read_json, sha256_file, write_json

RECORD_FILE, LOSS_FILE, SAMPLES_FILE = "fewstain.json", "loss.csv", "samples.png"
CONTENTS = {"unet", "scheduler", "stem.json", VAE_FOLDER, RECORD_FILE, LOSS_FILE, SAMPLES_FILE, ".snakemake_timestamp"}


Kind = TypeVar("Kind", bound="DenoiserRecord")


@dataclass(frozen=True)
class DenoiserRecord:
    """fewstain.json in a denoiser's folder.

    Attributes
    ----------
    normaliser
        How raw intensities became [-1, 1].
    channels
        Which of the files' channels the denoiser sees, counted from 0.
    image_channels
        How many it sees.
    dtype
        The pool files' dtype, "uint8" or the like.
    pool
        {"name", "sha256"} of each image trained on.
    settings
        The `diffusion` section.
    seed, steps
        As trained.
    wall_seconds, images_per_second
        Time with set-up and samples included; rate of the training loop alone.
    peak_memory_bytes
        Of the GPU where there is one, else resident; of the last session.
    device, precision, version
        Where and how it was trained, by which fewstain.
    file_channels
        Channels of the pool's files, seen or not; None where that was not kept.
    weights_sha256
        Of the weight file, "" where that was not kept; see `check_weights`.
    vae_sha256
        Of the weight file of the VAE whose latents the denoiser works in, "" where it works on pixels.
    """

    holder: ClassVar[str] = "a denoiser"

    normaliser: Normaliser
    channels: tuple[int, ...]
    image_channels: int
    dtype: str
    pool: tuple[dict[str, str], ...]
    settings: dict[str, Any]
    seed: int
    steps: int
    wall_seconds: float
    images_per_second: float
    peak_memory_bytes: int
    device: str
    precision: str
    version: str
    file_channels: int | None = None
    weights_sha256: str = ""
    vae_sha256: str = ""

    def write(self, folder: Path) -> None:
        """Write `folder`/fewstain.json."""
        write_json(folder / RECORD_FILE, asdict(self) | {"normaliser": self.normaliser.as_dict()})


def read_record(folder: Path) -> DenoiserRecord:
    """Read `folder`/fewstain.json.

    Raises
    ------
    UserError
        If it is missing, damaged or of another kind.
    """
    return read_record_of(DenoiserRecord, folder)


def read_record_of(kind: type[Kind], folder: Path) -> Kind:
    """Read `folder`/fewstain.json as `read_record` does, as a record of this kind."""
    values = read_json(folder / RECORD_FILE)
    try:
        return kind(
            **values
            | {
                "normaliser": Normaliser.from_dict(values["normaliser"]),
                "channels": tuple(values["channels"]),
                "pool": tuple(values["pool"]),
            }
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise UserError(
            f"{folder / RECORD_FILE}: not {kind.holder}'s record ({misfit(fault)}); train again, or restore it from "
            "a backup"
        ) from fault


def check_weights(folder: Path, record: DenoiserRecord) -> None:
    """Raise UserError where the weights of a denoiser or its VAE are not those that the record was written with."""
    for part, sha256 in (("unet", record.weights_sha256), (VAE_FOLDER, record.vae_sha256)):
        check_weight_file(folder / part / WEIGHTS, sha256, record.holder)


def check_weight_file(path: Path, sha256: str, holder: str) -> None:
    """Raise UserError where a weight file is not the one that a record tells of; "" tells of none.

    Parameters
    ----------
    holder
        Whose weights they are in a message, "a denoiser" or the like.
    """
    if sha256 and not (path.is_file() and sha256_file(path) == sha256):
        raise UserError(
            f"{path}: not the weights that {RECORD_FILE} tells of, altered or of another {holder.partition(' ')[2]}; "
            "restore the file from a backup, or train again"
        )


def check_image_kind(folder: Path, record: DenoiserRecord, path: Path, channels: int, dtype: np.dtype) -> None:
    """Raise UserError where an image file is not of the kind that the denoiser was trained on."""
    known = (record.file_channels if record.file_channels is not None else channels, np.dtype(record.dtype))
    if (channels, dtype.newbyteorder("=")) != known or max(record.channels) >= channels:
        raise UserError(
            f"{path}: {channels} channels of {dtype}, but the denoiser in {folder} was trained on images of "
            f"{known[0]} channels of {known[1]}; train one on these images, or give the folder of their own"
        )


def write_denoiser(
    out: Path,
    training: Training[Denoiser],
    index: PoolIndex,
    settings: DiffusionSettings,
    seed: int,
    *,
    session_seconds: float,
    vae: Vae | None = None,
) -> None:
    """Write the trained denoiser, with averaged weights, and its report in place of the folder `out`.

    With a VAE it is one of latents, and the folder holds the VAE too.
    """
    start = time.monotonic()
    denoiser = training.averaged()
    if vae is not None:
        denoiser = LatentDenoiser(denoiser, vae)
    with replaced_folder(out) as folder:
        denoiser.save(folder)
        write_losses(folder, training.losses.tolist())
        paint_samples(folder, denoiser, settings, seed)
        seconds = max(session_seconds, training.seconds) + time.monotonic() - start
        weights = folder / "unet" / WEIGHTS
        record = describe(training, index, settings, seed, wall_seconds=seconds, weights=weights)
        if vae is not None:
            record = replace(record, vae_sha256=sha256_file(folder / VAE_FOLDER / WEIGHTS))
        record.write(folder)


def describe(
    training: Training[Network],
    index: PoolIndex,
    settings: TrainingSettings,
    seed: int,
    *,
    wall_seconds: float,
    weights: Path,
) -> DenoiserRecord:
    """Make the record of a training that has ended, with its weights in the file `weights`."""
    return DenoiserRecord(
        normaliser=index.normaliser,
        channels=index.channels,
        image_channels=len(index.channels),
        dtype=index.dtype,
        pool=tuple({"name": image.name, "sha256": image.sha256} for image in index.images),
        file_channels=index.file_channels,
        **training_facts(training, settings, seed, wall_seconds=wall_seconds, weights=weights),
    )


def training_facts(
    training: Training[Network], settings: TrainingSettings, seed: int, *, wall_seconds: float, weights: Path
) -> dict[str, Any]:
    """Return what a record tells of the training itself, whatever it was trained on."""
    device = next(training.network.parameters()).device
    return {
        "settings": settings.model_dump(mode="json"),
        "seed": seed,
        "steps": training.step,
        "wall_seconds": wall_seconds,
        "images_per_second": training.step * settings.batch_size / max(training.seconds, 1e-9),
        "peak_memory_bytes": peak_memory_bytes(device),
        "device": device_name(device),
        "precision": training.precision.mixed,
        "version": fewstain.__version__,
        "weights_sha256": sha256_file(weights),
    }


def write_losses(folder: Path, losses: Sequence[float]) -> None:
    """Write loss.csv: step (from 1) and loss."""
    with (folder / LOSS_FILE).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("step", "loss"))
        writer.writerows((step, f"{loss:.6g}") for step, loss in enumerate(losses, start=1))


def paint_samples(folder: Path, denoiser: Denoiser, settings: DiffusionSettings, seed: int) -> None:
    """Write samples.png: as many images, in as many steps, as the settings say; none if they say 0."""
    if settings.samples:
        steps = min(settings.sample_steps, settings.train_timesteps)
        size = (settings.crop, settings.crop)
        write_samples(folder, sample(denoiser, settings.samples, size, steps=steps, seed=seed))


def write_samples(folder: Path, images: Tensor) -> None:
    """Write samples.png: images (n, C, H, W) in [-1, 1] in a grid."""
    write_mosaic(folder / SAMPLES_FILE, images)
