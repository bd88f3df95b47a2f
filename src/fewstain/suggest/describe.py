"""What a window looks like, in numbers: by its intensities alone, or by what a denoiser sees in it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from fewstain.images.normalise import Normaliser
from fewstain.suggest.windows import Suggestion

SMOOTHED = 1.0  # standard deviation, pixels, of the filter that keeps a camera's noise from being taken for cells
TIMESTEPS = (20, 80)  # of 1000, that the denoiser looks at windows at


class Describe(Protocol):
    """Describes the windows of one image."""

    def __call__(self, pixels: NDArray, windows: Sequence[Suggestion]) -> NDArray[np.float32]:
        """(H, W, C) raw intensities and n windows of them -> (n, F)."""
        ...


class Looks:
    """Percentiles and mean gradient of every channel.

    Parameters
    ----------
    channels
        Those looked at; all when None.
    """

    def __init__(self, channels: Sequence[int] | None = None) -> None:
        self.channels = channels

    def __call__(self, pixels: NDArray, windows: Sequence[Suggestion]) -> NDArray[np.float32]:
        """4 numbers a channel: 5th, 50th and 95th percentile, mean absolute gradient of the smoothed image."""
        pixels = pixels if self.channels is None else pixels[:, :, list(self.channels)]
        normaliser = Normaliser()
        limits = normaliser.range(pixels)
        return np.stack([_looks(normaliser.apply(window.cut(pixels), limits)) for window in windows])


class SeenByDenoiser:
    """Means and standard deviations, over a window, of a denoiser's activations.

    Parameters
    ----------
    folder
        The denoiser's folder.

    Attributes
    ----------
    channels
        Which of a file's channels the denoiser sees, counted from 0.
    file_channels
        How many the files have; None where that was not kept.

    Raises
    ------
    UserError
        No denoiser of pixels in the folder.
    """

    def __init__(self, folder: Path) -> None:
        from accelerate.state import PartialState

        from fewstain.diffusion.network import load_denoiser
        from fewstain.diffusion.record import read_record
        from fewstain.pixels.features import DiffusionFeatures

        denoiser = load_denoiser(folder).to(PartialState().device)
        last = int(denoiser.scheduler.config["num_train_timesteps"]) - 1
        self._features = DiffusionFeatures(denoiser, [min(each, last) for each in TIMESTEPS])
        record = read_record(folder)
        self._normaliser = record.normaliser
        self.channels, self.file_channels = record.channels, record.file_channels

    def __call__(self, pixels: NDArray, windows: Sequence[Suggestion]) -> NDArray[np.float32]:
        """Two numbers for each channel of each map."""
        import torch

        from fewstain.diffusion.padding import pad_to_multiple

        pixels = pixels[:, :, list(self.channels)]
        limits = self._normaliser.range(pixels)
        found = []
        for window in windows:
            image = torch.from_numpy(self._normaliser.apply(window.cut(pixels), limits))[None]
            maps = self._features.maps(pad_to_multiple(image, self._features.multiple))
            parts = [part for each in maps for part in (each[0].mean((1, 2)), each[0].std((1, 2)))]
            found.append(torch.cat(parts).float().cpu().numpy())
        return np.stack(found)


def content(looks: NDArray[np.floating], least: float = 0.05) -> NDArray[np.float64]:
    """How much there is to see in windows, `least` to 1: their gradients beside those of the fullest tenth.

    Parameters
    ----------
    looks
        (n, 4 C) of `Looks`.
    """
    gradient = looks[:, -(looks.shape[1] // 4) :].sum(axis=1).astype(np.float64)
    full = float(np.percentile(gradient, 90))
    return np.clip(gradient / full, least, 1) if full > 0 else np.ones(len(gradient))


def _looks(crop: NDArray[np.float32]) -> NDArray[np.float32]:
    percentiles = np.percentile(crop, [5, 50, 95], axis=(1, 2))
    smooth = gaussian_filter(crop, (0, SMOOTHED, SMOOTHED))
    slope = sum(np.abs(np.diff(smooth, axis=axis)).mean(axis=(1, 2)) for axis in (1, 2) if smooth.shape[axis] > 1)
    return np.concatenate([percentiles.ravel(), np.broadcast_to(slope, len(crop))]).astype(np.float32)
