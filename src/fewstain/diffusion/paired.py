"""Training on images and what goes with them: both lie in one pool, and are cut, turned and mirrored alike."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import numpy as np
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.loop import new_training, run
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.pool_index import INDEX_FILE, PoolIndex, find_pool, write_pixels
from fewstain.diffusion.precision import choose_precision, start_accelerator
from fewstain.diffusion.session import REPORT_ONLY
from fewstain.diffusion.state import Network, Training, open_state
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.settings import TrainingSettings
from fewstain.storage import sha256_file, write_errors_named, write_json


@dataclass(frozen=True)
class Pair:
    """An image and what goes with it, still in their files.

    Attributes
    ----------
    name
        Told in messages.
    files
        Those that it is read from.
    planes
        Reads them: (C + K, H, W) float32, C planes of the image and then K of what goes with it.
    """

    name: str
    files: tuple[Path, ...]
    planes: Callable[[], NDArray[np.float32]]


@dataclass(frozen=True)
class Trained(Generic[Network]):
    """A training that has made its last step, with the pool that it was made on.

    Attributes
    ----------
    training
        Its weights are not averaged yet.
    index
        Of the pool.
    pool
        To draw examples from; its file is still there.
    """

    training: Training[Network]
    index: PoolIndex
    pool: Pool


def train_on_pairs(
    pairs: Sequence[Pair],
    state: Path,
    network: Network,
    loss: Callable[[Tensor, Accelerator, np.random.Generator], Tensor],
    settings: TrainingSettings,
    identity: Mapping[str, Any],
    *,
    seed: int,
    restart: bool,
    title: str = "training",
) -> Trained[Network]:
    """Train a network on crops of pairs, or go on where the last call was stopped.

    Parameters
    ----------
    pairs
        At least one.
    state
        Folder of the training state and of the pool; see `remove_pixels`.
    network
        With the weights it begins from, a function of what `identity` tells.
    loss
        (crops (B, C + K, S, S) float32 on the device, accelerator, source of chance) -> () with its graph.
    settings
        Of the training.
    identity
        All else that the final weights depend on, by the names a user knows.
    seed
        Of crops and noise; not negative.
    restart
        Forget a state that is damaged, or of another identity, instead of refusing it.
    title
        What the progress bar says.

    Raises
    ------
    UserError
        As of `train_diffusion`.
    """
    with write_errors_named(state):
        state.mkdir(parents=True, exist_ok=True)
    files = tuple((pair.name, _sha256(pair.files)) for pair in pairs)
    identity = {**identity, "seed": seed, "pool": files}
    saved = open_state(state, identity, restart=restart)
    # without a state, planes lying there may be of another training, made of the same files in another way
    index = find_pool(state, files, pixels_needed=True) if saved is not None else None
    index = index or build_pairs(state, pairs, files)
    precision = saved.precision if saved is not None else choose_precision()
    accelerator = start_accelerator(precision)
    training = new_training(network, settings, precision, accelerator.device, identity)
    if saved is not None:
        training.restore(saved)
    pool = Pool(state, index, accelerator.device)

    def loss_of(step: int) -> Tensor:
        random = np.random.default_rng((seed, step))
        crops = pool.crops(settings.batch_size, settings.crop, random)
        return loss(precision.lay_out(crops), accelerator, random)

    if training.step < settings.steps:
        run(training, loss_of, settings, accelerator, state, title)
    return Trained(training, index, pool)


def settings_identity(settings: TrainingSettings, section: str) -> dict[str, Any]:
    """Return the settings that the final weights depend on, by the names they have in --set."""
    chosen = settings.model_dump(mode="json", exclude=REPORT_ONLY)
    return {f"{section}.{name}": value for name, value in chosen.items()}


def build_pairs(folder: Path, pairs: Sequence[Pair], files: tuple[tuple[str, str], ...]) -> PoolIndex:
    """Write the planes of all pairs into `folder`, as `Pool` reads them, one pair in memory at a time.

    Raises
    ------
    UserError
        Unreadable files; pairs of different numbers of planes; a full disk.
    """
    planes = 0

    def read(pair: Pair) -> tuple[NDArray[np.float32]]:
        nonlocal planes
        read = pair.planes()
        planes = planes or len(read)
        if len(read) != planes:
            raise UserError(
                f"{pair.files[0]}: {len(read)} channels with what goes with them, but the first image has {planes}; "
                "keep one kind of image in a dataset"
            )
        return (read,)

    stored = ((name, sha256, read(pair)) for pair, (name, sha256) in zip(pairs, files, strict=True))
    images = write_pixels(folder, stored)
    # normalised already, each in its own way
    index = PoolIndex(images, tuple(range(planes)), "float32", Normaliser())
    write_json(folder / INDEX_FILE, index.as_dict())
    return index


def _sha256(files: Sequence[Path]) -> str:
    """One SHA-256 for the contents of some files."""
    return hashlib.sha256(" ".join(map(sha256_file, files)).encode()).hexdigest()
