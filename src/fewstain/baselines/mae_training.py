"""Training of the masked autoencoder on the pool of unlabeled images."""

from __future__ import annotations

from pathlib import Path

import torch
from accelerate import Accelerator
from torch import Tensor

from fewstain.baselines.mae import CONFIG, WEIGHTS, Mae
from fewstain.baselines.pool_training import crops_of, train_on_pool
from fewstain.baselines.presets import MaeSettings
from fewstain.dataset import Dataset
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.state import Training
from fewstain.errors import UserError


def train_mae(
    dataset: Dataset,
    out: Path,
    state: Path,
    settings: MaeSettings,
    *,
    channels: tuple[int, ...] | None = None,
    seed: int = 0,
) -> None:
    """Train a masked autoencoder on the pool, or go on where the last call was stopped; see `train_on_pool`.

    Raises
    ------
    UserError
        A crop that is no multiple of the patch, and as `train_on_pool`.
    """
    if settings.crop % settings.patch:
        raise UserError(f"mae.crop is {settings.crop}; this network needs a multiple of {settings.patch}")

    def loss(training: Training[Mae], pool: Pool, step: int, accelerator: Accelerator) -> Tensor:
        crops, random = crops_of(pool, settings, seed, step)
        generator = torch.Generator().manual_seed(int(random.integers(2**63)))
        with accelerator.autocast():
            return training.network.loss(crops, generator)

    def save(mae: Mae, folder: Path) -> Path:
        mae.save(folder)
        return folder / WEIGHTS

    train_on_pool(
        dataset,
        out,
        state,
        settings,
        section="mae",
        build=lambda image_channels: Mae(settings, image_channels),
        loss=loss,
        save=save,
        contents={CONFIG, WEIGHTS},
        channels=channels,
        seed=seed,
    )
