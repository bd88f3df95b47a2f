"""Maps of windows by a model that has not seen them: what models, and decoders, are chosen by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
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
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.tune import DecoderTrials
from fewstain.pixels.views import held_out_views
from fewstain.storage import atomic_path

VIEW = ":view-"  # a view's number follows; no file's name has a colon


@dataclass(frozen=True)
class HeldOut:
    """Held-out maps of all windows, and what the decoders made of them.

    Attributes
    ----------
    seen
        The maps of each window, and of views of it, if any.
    trials
        What the decoders made of the windows: by this, models are compared.
    on_views
        The same decoders on the views, counts summed over those of each window; the decoder is chosen by both.
    """

    seen: HeldOutMaps
    trials: DecoderTrials
    on_views: DecoderTrials | None = field(default=None, kw_only=True)

    @property
    def decoder_trials(self) -> DecoderTrials:
        """What the decoders made of each window and its views."""
        return self.trials if self.on_views is None else self.trials.plus(self.on_views)

    def decoder(self, n: int, windows: NDArray[np.bool_] | None = None) -> Consensus:
        """Choose the `n` parameter sets that are best on (some of) the windows and their views, and teach them."""
        return self.seen.teach(Consensus(self.decoder_trials.best_sets(n, windows)), windows)

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


def save_held_out(path: Path, held_out: HeldOutMaps) -> None:
    """Write the maps of windows and their views, as float16; the windows themselves are not written."""
    tensors = {
        _key(held_out, number): torch.from_numpy(maps.stacked()).half()
        for number, (_, maps) in enumerate(held_out.some())
    }
    with atomic_path(path) as temporary:
        save_file(tensors, temporary)


def read_held_out(path: Path, windows: Sequence[LabeledWindow], seed: int) -> HeldOutMaps:
    """Read the held-out maps of windows, and of as many views of them as were written.

    Parameters
    ----------
    path
        As `save_held_out` wrote it.
    windows
        Those that it was written for.
    seed
        Of the fit, and so of the views.

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
    other = {window.name for window in windows} ^ {name.split(VIEW)[0] for name in tensors}
    if other:
        raise UserError(
            f"{path}: the labels have changed since the pixels were fitted ({sorted(other)[0]}); run fit-pixels again"
        )
    views = held_out_views(windows, len(tensors) // len(windows) - 1, seed)
    held_out = HeldOutMaps(windows, (), views, ())
    planes = [tensors[_key(held_out, number)].float() for number in range(len(tensors))]
    maps = [PixelMaps(each[None, :-2], each[None, -2], each[None, -1]) for each in planes]
    return replace(held_out, maps=maps[: len(windows)], view_maps=maps[len(windows) :])


def _key(held_out: HeldOutMaps, number: int) -> str:
    """Name of a window, or of a view of it."""
    view, window = divmod(number, len(held_out.windows))
    return held_out.windows[window].name + (f"{VIEW}{view}" if view else "")
