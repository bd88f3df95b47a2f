"""What a training on the pool of a dataset begins with: its identity, its saved state, its pool and its precision."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from accelerate import Accelerator
from torch import nn

from fewstain.dataset import Dataset
from fewstain.diffusion.loop import new_training
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.pool_index import PoolIndex, open_pool_index
from fewstain.diffusion.precision import Precision, choose_precision, start_accelerator
from fewstain.diffusion.state import Network, SavedState, Training, open_state
from fewstain.settings import TrainingSettings
from fewstain.storage import sha256_file, write_errors_named

REPORT_ONLY = {"checkpoint_seconds", "samples", "sample_steps"}  # settings that do not change the weights


@dataclass(frozen=True)
class Session:
    """One call of a training, which may go on where another was stopped.

    Attributes
    ----------
    state
        Folder of the training state and the pool.
    identity
        All that the final weights depend on, by the names a user knows.
    saved
        What to go on from; None at the very start.
    finished
        Whether the last step was made, and only the results are to be written.
    """

    state: Path
    identity: Mapping[str, Any]
    saved: SavedState | None
    finished: bool
    index: PoolIndex
    precision: Precision
    accelerator: Accelerator

    def pool(self) -> Pool:
        """Open the pool's pixels, on the device."""
        return Pool(self.state, self.index, self.accelerator.device)

    def training(
        self, network: Network, settings: TrainingSettings, parameters: Iterable[nn.Parameter] | None = None
    ) -> Training[Network]:
        """Make the training of a network as it was when it was saved, or as it is before its first step.

        Parameters
        ----------
        parameters
            Those to train; None for all of the network's.
        """
        training = new_training(network, settings, self.precision, self.accelerator.device, self.identity, parameters)
        if self.saved is not None:
            training.restore(self.saved)
        return training


def open_session(
    dataset: Dataset,
    state: Path,
    settings: TrainingSettings,
    section: str,
    *,
    channels: tuple[int, ...] | None,
    seed: int,
    restart: bool,
    more: dict[str, Any] | None = None,
    pixels_needed: bool = False,
) -> Session:
    """Open the state of a training, and its pool.

    Parameters
    ----------
    dataset
        Only its `images` are read.
    section
        Name of the settings in messages, as in --set.
    more
        What the final weights depend on beside settings, channels, seed and pool.
    pixels_needed
        Whether a finished training needs the pool's pixels too.

    Raises
    ------
    UserError
        Settings or images have changed since the state was saved, unless `restart`; a damaged state; bad images.
    """
    with write_errors_named(state):
        state.mkdir(parents=True, exist_ok=True)
    pool_files = tuple((path.name, sha256_file(path)) for path in dataset.images)
    identity = training_identity(settings, channels, seed, pool_files, section) | (more or {})
    saved = open_state(state, identity, restart=restart)
    finished = saved is not None and saved.step == settings.steps
    index = open_pool_index(state, dataset.images, pool_files, channels, pixels_needed=pixels_needed or not finished)
    precision = saved.precision if saved is not None else choose_precision()
    return Session(state, identity, saved, finished, index, precision, start_accelerator(precision))


def training_identity(
    settings: TrainingSettings,
    channels: tuple[int, ...] | None,
    seed: int,
    pool: tuple[tuple[str, str], ...],
    section: str = "diffusion",
) -> dict[str, Any]:
    """All that the final weights depend on, by the names a user knows."""
    chosen = settings.model_dump(mode="json", exclude=REPORT_ONLY)
    return {f"{section}.{name}": value for name, value in chosen.items()} | {
        "channels": channels,
        "seed": seed,
        "pool": pool,
    }
