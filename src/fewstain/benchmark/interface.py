"""What a method gets, and what it gives back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewstain.dataset import Dataset, Window
from fewstain.images.normalise import Normaliser, fit_normaliser
from fewstain.images.read import are_rgb, read_header, read_image
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.windows import read_windows
from fewstain.settings import Preset, Settings

Find = Callable[[NDArray], NDArray[np.integer]]


@dataclass(frozen=True)
class Fitted:
    """A method after it has learned from a trial.

    Attributes
    ----------
    find
        (H, W, C) raw pixels -> (H, W) instance labels.
    parameters
        Numbers it has learned, without labels and with.
    notes
        What else to keep in the cell.
    close
        To be called when nothing is left to find.
    """

    find: Find
    parameters: int
    notes: dict[str, Any] = field(default_factory=dict)
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Trial:
    """What a method gets to see.

    Attributes
    ----------
    dataset
        With the labeled windows of the trial; a method does not look at its `test`.
    work
        A folder of its own.
    source
        Of the stain, for what an upper bound may see.
    settings
        Numbers of our method.
    seed
        Of the method.
    channels
        Which of the images' channels to use; None for all.
    pretrained
        Folder of what was learned from the pool, where the method needs it.
    seconds, steps
        Budget of a training on labels.
    options
        What only one method reads.
    preset
        Whose numbers the networks of other methods have, too.
    """

    dataset: Dataset
    work: Path
    source: Path
    settings: Settings
    seed: int
    channels: tuple[int, ...] | None = None
    pretrained: Path | None = None
    seconds: float | None = None
    steps: int | None = None
    options: dict[str, str] = field(default_factory=dict)
    preset: Preset = Preset.cpu

    @property
    def folder(self) -> Path:
        """`pretrained`, where there must be some; ValueError where there is none."""
        if self.pretrained is None:
            raise ValueError("this method builds on what was learned from the pool")
        return self.pretrained

    def chosen_channels(self) -> tuple[int, ...]:
        """Channels to use, by number."""
        return self.channels or tuple(range(read_header(self.dataset.images[0]).channels))

    def normaliser(self) -> Normaliser:
        """Fit the normaliser of the pool, as every training on it does."""
        channels, images = list(self.chosen_channels()), self.dataset.images
        return fit_normaliser((read_image(path).pixels[..., channels] for path in images), rgb=are_rgb(images))

    def windows(
        self, normaliser: Normaliser, multiple: int = 1, windows: Sequence[Window] | None = None
    ) -> list[LabeledWindow]:
        """Read the labeled windows, all objects of one class."""
        chosen = self.dataset.windows if windows is None else windows
        return list(read_windows(self.dataset, chosen, normaliser, self.chosen_channels(), multiple, {}))

    def budget(self, share: float = 1.0) -> dict[str, Any]:
        """Arguments of a segmenter that trains: a share of the steps, or of the seconds."""
        if self.steps is not None:
            return {"steps": max(1, round(self.steps * share))}
        if self.seconds is None:
            raise ValueError("a training on labels needs a budget")
        return {"seconds": self.seconds * share}
