"""The pools of several data sets side by side, each a stain."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from fewstain.dataset import Dataset
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.pool_index import PoolIndex, open_pool_index, remove_pixels
from fewstain.errors import UserError

Files = tuple[tuple[str, str], ...]  # (name, SHA-256) of each image


def stain_names(datasets: Sequence[Dataset]) -> tuple[str, ...]:
    """Names of the data sets' folders; UserError where two have one name."""
    names = [dataset.root.absolute().name for dataset in datasets]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise UserError(f"{datasets[number].root}: a second data set called {name!r}; rename one of the folders")
    return tuple(names)


def open_stains(state: Path, datasets: Sequence[Dataset], files: Sequence[Files]) -> list[PoolIndex]:
    """Find or build the pool of each data set in a folder of its own under `state`/pools.

    Raises
    ------
    UserError
        As of `build_pool`; stains whose numbers of channels do not go together.
    """
    indices = [
        open_pool_index(pool_folder(state, name), dataset.images, known, None, pixels_needed=True)
        for name, dataset, known in zip(stain_names(datasets), datasets, files, strict=True)
    ]
    common_channels(
        [(str(dataset.root), len(index.channels)) for dataset, index in zip(datasets, indices, strict=True)]
    )
    return indices


def pool_folder(state: Path, name: str) -> Path:
    """Where the pool of one data set lies."""
    return state / "pools" / name


def remove_stains(state: Path, names: Sequence[str]) -> None:
    """Delete the pools' pixels, which can be built again."""
    for name in names:
        remove_pixels(pool_folder(state, name))


def common_channels(found: Sequence[tuple[str, int]]) -> int:
    """Return how many channels images of several kinds have once grey ones are repeated to those of the others.

    Parameters
    ----------
    found
        (what to call it, its channels) of each kind.

    Raises
    ------
    UserError
        If there are two numbers of channels besides 1.
    """
    most = max(channels for _, channels in found)
    for name, channels in found:
        if channels not in (1, most):
            other = next(name for name, channels in found if channels == most)
            raise UserError(
                f"{name}: {channels} channels, but {other} has {most}; only grey images go beside others, "
                "repeated in each channel: leave one of the two out"
            )
    return most


def repeat_grey(images: Tensor, channels: int) -> Tensor:
    """(..., 1 or C, H, W) images -> (..., C, H, W), grey ones repeated in every channel."""
    return images.expand(*images.shape[:-3], channels, *images.shape[-2:])


class Stains:
    """Random crops of several pools, of each as many.

    Parameters
    ----------
    pools
        Name of each stain -> its pool.
    channels
        That crops have; grey ones are repeated.
    """

    def __init__(self, pools: Mapping[str, Pool], channels: int) -> None:
        self._names, self._pools, self._channels = list(pools), list(pools.values()), channels

    def crops(self, n: int, size: int, random: np.random.Generator) -> tuple[np.ndarray, Tensor]:
        """Draw (n,) numbers of stains, and a crop of each, (n, C, size, size); see `Pool.crops`."""
        stain = random.integers(0, len(self._pools), n)
        parts = [self._pools[k].crops(int((stain == k).sum()), size, random) for k in np.unique(stain)]
        return stain, self._in_place(stain, parts)

    def sets(self, n: int, others: int, size: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        """Draw crops, and for each a set of others of the same image; see `Pool.sets`.

        Raises
        ------
        UserError
            A stain all of whose images are too small for two windows.
        """
        self._check_room(size)
        stain = random.integers(0, len(self._pools), n)
        pairs = [self._pools[k].sets(int((stain == k).sum()), others, size, random) for k in np.unique(stain)]
        crops, sets = zip(*pairs, strict=True)
        return self._in_place(stain, crops), self._in_place(stain, sets)

    def examples(self, others: int, size: int, random: np.random.Generator) -> list[Tensor]:
        """Draw a set of one image of each stain, (1, others, C, size, size)."""
        self._check_room(size)
        return [repeat_grey(pool.sets(1, others, size, random)[1], self._channels) for pool in self._pools]

    def _check_room(self, size: int) -> None:
        for name, pool in zip(self._names, self._pools, strict=True):
            if not pool.holds_sets(size):
                raise UserError(
                    f"{name}: no image has room for two windows of {size} x {size} pixels; give larger images, or "
                    "--set conditions.crop a smaller one"
                )

    def _in_place(self, stain: np.ndarray, parts: Sequence[Tensor]) -> Tensor:
        """Put the parts, one for each stain that occurs, where their stain stands in `stain` (n,)."""
        joined = torch.cat([repeat_grey(part, self._channels) for part in parts])
        order = np.argsort(np.argsort(stain, kind="stable"), kind="stable")
        return joined[torch.from_numpy(order).to(joined.device)]
