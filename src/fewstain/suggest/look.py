"""All windows of a dataset, described, with how much each matters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fewstain.diffusion.progress import StepProgress
from fewstain.errors import UserError
from fewstain.images.read import read_image, stem
from fewstain.suggest.describe import Looks, SeenByDenoiser, content
from fewstain.suggest.windows import Suggestion, windows_of

TINY = 1e-9  # a weight above 0, so that each window counts


@dataclass(frozen=True)
class LookedAt:
    """Windows that may be labeled, and those that are.

    Attributes
    ----------
    windows
        N of them.
    free
        (N,) bool: not labeled yet.
    features
        (N, F) descriptions.
    weights
        (N,) how much each matters, above 0.
    """

    windows: list[Suggestion]
    free: NDArray[np.bool_]
    features: NDArray[np.float32]
    weights: NDArray[np.float64]


def look_at(
    images: Sequence[Path],
    n: int,
    size: int,
    channels: Sequence[int] | None = None,
    seed: int = 0,
    labeled: Sequence[Suggestion] = (),
    results: Path | None = None,
) -> LookedAt:
    """Describe all windows, with what there is to describe them by.

    Parameters
    ----------
    images, n, size, channels, seed, results
        As of `fewstain.suggest.suggest_windows`.
    labeled
        Windows that are labeled; of those that overlap with them none is given.

    Raises
    ------
    UserError
        An image with another number of channels than the first one, or than the denoiser's images have, or without
        those that are to be looked at.
    """
    looks, seen = Looks(channels), _denoiser(results)
    kind = _Kind.of_denoiser(seen, channels)
    windows: list[Suggestion] = []
    parts: list[tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]] = []
    with StepProgress("looking at images", len(images), images_per_step=1) as progress:
        for number, (path, pixels, free) in enumerate(windows_of(images, n, size, seed, labeled), start=1):
            kind = kind.checked(path, pixels.shape[2])
            found = [each for each in labeled if each.image == path] + free
            windows += found
            if found:
                plain = looks(pixels, found)
                parts.append((plain, plain if seen is None else seen(pixels, found), _doubt(path, found, results)))
            if progress.due(number):
                progress.show(number)
    if not windows:
        return LookedAt([], np.zeros(0, np.bool_), np.zeros((0, 1), np.float32), np.zeros(0))
    plain, features, doubt = (np.concatenate(part) for part in zip(*parts, strict=True))
    known = set(labeled)
    free_of = np.array([window not in known for window in windows])
    return LookedAt(windows, free_of, features, _weights(doubt, content(plain)))


def _weights(doubt: NDArray[np.float64], contents: NDArray[np.float64]) -> NDArray[np.float64]:
    """Uncertainty where there is some, else content; windows of images not segmented yet are the most uncertain."""
    unknown = np.isnan(doubt)
    return contents if unknown.all() else np.where(unknown, np.nanmax(doubt), doubt) + TINY


@dataclass(frozen=True)
class _Kind:
    """What all images must agree on: how many channels they have, which of them are looked at.

    `known` is None before the first image, `source` says where it comes from.
    """

    known: int | None
    source: str
    channels: Sequence[int]

    @classmethod
    def of_denoiser(cls, seen: SeenByDenoiser | None, channels: Sequence[int] | None) -> _Kind:
        if seen is None:
            return cls(None, "", channels or ())
        return cls(
            seen.file_channels, "those that the denoiser was trained on have", (*(channels or ()), *seen.channels)
        )

    def checked(self, path: Path, found: int) -> _Kind:
        """Compare an image with `found` channels; what it has counts from now on."""
        if self.known is not None and found != self.known:
            raise UserError(
                f"{path}: {_channels(found)}, but {self.source} {self.known}; save all images of a dataset alike, "
                "or take this one out"
            )
        if max(self.channels, default=0) >= found:
            raise UserError(
                f"{path}: {_channels(found)}, so channel {max(self.channels)} is not there; they count from 0: change "
                "`channels`"
            )
        return self if self.known is not None else _Kind(found, f"{path.name} has", self.channels)


def _channels(count: int) -> str:
    return f"{count} channel{'' if count == 1 else 's'}"


def _denoiser(results: Path | None) -> SeenByDenoiser | None:
    """Of a results folder that has one."""
    from fewstain.diffusion.record import RECORD_FILE

    folder = None if results is None else results / "diffusion"
    return SeenByDenoiser(folder) if folder is not None and (folder / RECORD_FILE).is_file() else None


def _doubt(image: Path, windows: Sequence[Suggestion], results: Path | None) -> NDArray[np.float64]:
    """(n,) mean uncertainty of windows, nats; NaN where the image was not segmented."""
    path = None if results is None else results / "uncertainty" / f"{stem(image)}.tif"
    if path is None or not path.is_file():
        return np.full(len(windows), np.nan)
    uncertainty = read_image(path).pixels[..., 0]
    return np.array([window.cut(uncertainty).mean(dtype=np.float64) for window in windows])
