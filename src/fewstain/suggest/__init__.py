"""Which windows to label next."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fewstain.suggest.choose import choose
from fewstain.suggest.look import look_at
from fewstain.suggest.windows import Suggestion, labeled_windows

__all__ = ["Suggestion", "labeled_windows", "suggest_windows"]


def suggest_windows(
    images: Sequence[Path],
    n: int = 24,
    size: int = 128,
    channels: Sequence[int] | None = None,
    seed: int = 0,
    avoid: Sequence[Suggestion] = (),
    results: Path | None = None,
) -> list[Suggestion]:
    """Choose n windows of which few look alike, of many images, and which between them look like all the others.

    Before there is a denoiser, windows are compared by brightness, contrast and texture, and those with more to see
    in them count for more; then by the denoiser's features; once there are uncertainty maps, those count for most in
    which the ensemble is least certain. See `fewstain.suggest.choose.choose`.

    Parameters
    ----------
    images : sequence of Path
        Readable images; one is in memory at a time.
    n : int
        How many; fewer where the images have fewer windows that differ.
    size : int
        Side of a window, pixels; less where an image is smaller.
    channels : sequence of int, optional
        Channels to look at.
    seed : int
        Draws the windows that are looked at where there are very many.
    avoid : sequence of Suggestion
        Windows labeled already: none that overlaps with them is chosen, and none much like them.
    results : Path, optional
        Results folder of these images, which may have diffusion/ and uncertainty/.

    Raises
    ------
    UserError
        Images that cannot be read, or that do not all have the channels to look at.
    """
    looked = look_at(images, n, size, channels, seed, avoid, results)
    free = np.flatnonzero(looked.free)
    if len(free) <= n:
        return [looked.windows[index] for index in free]
    numbers = {path: number for number, path in enumerate(images)}
    chosen = choose(
        looked.features,
        np.where(looked.free, looked.weights, 0),
        n,
        np.flatnonzero(~looked.free),
        [numbers[window.image] for window in looked.windows],
    )
    return [looked.windows[index] for index in chosen]
