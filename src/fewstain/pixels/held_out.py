"""Maps of windows by a model that has not seen them: what models, and decoders, are chosen by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from fewstain.errors import UserError
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.tune import DecoderTrials
from fewstain.storage import atomic_path


@dataclass(frozen=True)
class HeldOut:
    """Held-out maps of all windows, and what the decoders made of them.

    Attributes
    ----------
    maps, trials
        The maps of each window, and what the decoders made of those: by this, models are compared.
    on_views
        The same decoders on held-out views of each window, counts summed over its views; the decoder is chosen by both.
    """

    maps: Sequence[PixelMaps]
    trials: DecoderTrials
    on_views: DecoderTrials | None = field(default=None, kw_only=True)

    @property
    def decoder_trials(self) -> DecoderTrials:
        """What the decoders made of each window and its views."""
        return self.trials if self.on_views is None else self.trials.plus(self.on_views)

    def decoder(self, n: int, windows: NDArray[np.bool_] | None = None) -> Consensus:
        """Bring the `n` decoders that are best on (some of) the windows and their views to agreement."""
        return self.decoder_trials.consensus(n, windows)

    def score(self, windows: NDArray[np.bool_] | None = None) -> float:
        """AP50 + AP of the best decoder on (some of) the windows."""
        best = self.trials.average_precision(windows)[self.trials.best(windows)]
        return float(best[0] + best.mean())


Candidate = TypeVar("Candidate", bound=HeldOut)


def winner(candidates: Sequence[Candidate], windows: NDArray[np.bool_] | None = None) -> Candidate:
    """Find the candidate to use: the first, unless another is better by more than the first's standard error.

    With a few dozen windows the scores of equally good choices differ by several hundredths; the first must be the one
    that depends least on such luck (the one-standard-error rule of Breiman et al. 1984, section 3.4.3).

    Parameters
    ----------
    candidates
        The one that needs a reason to be left first.
    windows
        Count only these windows; all when None.
    """
    best = max(candidates, key=lambda each: each.score(windows))
    first = candidates[0]
    return best if best.score(windows) > first.score(windows) + first.trials.standard_error(windows) else first


def save_maps(path: Path, maps: Mapping[str, PixelMaps]) -> None:
    """Write the held-out maps of windows, by their names, as float16."""
    tensors = {name: torch.from_numpy(each.stacked()).half() for name, each in maps.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def read_maps(path: Path, names: Sequence[str]) -> list[PixelMaps]:
    """Read the held-out maps of the named windows.

    Raises
    ------
    UserError
        A missing or damaged file, or one of other windows.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such file; run fit-pixels again")
    try:
        tensors = load_file(path)
    except (SafetensorError, OSError) as fault:
        raise UserError(f"{path}: damaged ({str(fault).splitlines()[0]}); run fit-pixels again") from fault
    if set(tensors) != set(names):
        other = sorted(set(tensors) ^ set(names))[0]
        raise UserError(f"{path}: the labels have changed since the pixels were fitted ({other}); run fit-pixels again")
    planes = [tensors[name].float() for name in names]
    return [PixelMaps(each[None, :-2], each[None, -2], each[None, -1]) for each in planes]
