"""Views of a labeled window: the same cells turned, lit otherwise, in other colours, and lying closer together.

Two dozen windows seldom show every background and every way in which cells touch; views of them do.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace

import numpy as np
import torch
from monai.data import get_track_meta, set_track_meta
from monai.transforms import (
    Compose,
    RandAdjustContrast,
    RandGaussianNoise,
    RandGaussianSmooth,
    RandScaleIntensity,
    RandShiftIntensity,
)
from numpy.typing import NDArray
from skimage.transform import resize
from torch import Tensor

from fewstain.pixels.copies import touching_copies
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.targets import pixel_targets

COPIES_CHANCE = 0.7  # of a view to show copies, and how many at most
MOST_COPIES = 3
HAZE_CHANCE, MOST_HAZE = 0.7, 0.6
STRETCH_CHANCE = 0.5  # of a hazy view to be normalised anew, as an image with that haze would have been
VIEW_SIDE = 192  # pixels; of a larger window a view shows a part, since few of its pixels are learned from
ZOOM_CHANCE, MOST_ZOOM = 0.6, 1.5  # of a view to show another magnification, and how far from the window's own
HAZE_CELLS = 3  # the haze varies over thirds of a window
SEED_LIMIT = 2**32


def draw_view(window: LabeledWindow, rng: np.random.Generator) -> LabeledWindow:
    """Draw a view of a window to learn from, with its labels and targets.

    A part of it where it is large; turned and mirrored; at another magnification; in most views in the colours of
    another image of the pool, and with some of its objects copied to where they touch others; under other light.
    What is copied comes from the window itself, so that nothing of a held-out window gets into another's views.

    Parameters
    ----------
    window
        As it is.
    rng
        The only source of chance.

    Returns
    -------
    LabeledWindow
        `source_rows` and `source_columns` tell of a copied pixel where it was copied from.
    """
    seen = turned_view(part_view(window, rng), rng)
    if rng.random() < ZOOM_CHANCE:
        seen = seen.magnified(MOST_ZOOM ** rng.uniform(-1, 1))
    return _drawn(seen, rng)


def held_out_views(windows: Sequence[LabeledWindow], n: int, seed: int) -> list[LabeledWindow]:
    """Draw `n` views of each window, to choose a decoder by: view i is of window i % len(windows).

    They are of the window's own magnification, for a decoder goes by the size that objects have.
    """
    rng = np.random.default_rng((seed, *b"held-out views"))
    return [_drawn(turned_view(part_view(each, rng), rng), rng) for _ in range(n) for each in windows]


def _drawn(seen: LabeledWindow, rng: np.random.Generator) -> LabeledWindow:
    """Recolour a window and crowd it with copies, in most cases, and show it under other light."""
    seen = replace(seen, image=seen.colours.recoloured(seen.image, seen.group, rng))
    if rng.random() < COPIES_CHANCE:
        seen = with_copies(seen, 1 + int(rng.integers(MOST_COPIES)), rng)
    return replace(seen, image=other_light(seen.image, rng))


def part_view(window: LabeledWindow, rng: np.random.Generator) -> LabeledWindow:
    """Draw a square of about `VIEW_SIDE` pixels of a window and its surroundings; all of it where it is no larger."""
    most = -(-VIEW_SIDE // window.multiple) * window.multiple
    spare = [max(side - most, 0) for side in window.image.shape[1:]]
    if not any(spare):
        return window
    return window.part((int(rng.integers(spare[0] + 1)), int(rng.integers(spare[1] + 1))), most)


def turned_view(window: LabeledWindow, rng: np.random.Generator) -> LabeledWindow:
    """Turn and mirror a window: one of the eight symmetries of the square."""
    return window.turned(int(rng.integers(4)), bool(rng.integers(2)))


def other_light(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Change an image (C, H, W) in [-1, 1] as exposure, staining, background and focus do."""
    return Lights(rng)(image)


class Lights:
    """Shows image after image under another light; telling a random state takes as long as drawing from it.

    Parameters
    ----------
    rng
        The only source of chance.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._exposure = Compose([RandAdjustContrast(prob=1, gamma=(0.67, 1.5))]).set_random_state(_seed(rng))
        self._camera = Compose(
            [
                RandScaleIntensity(factors=0.15, prob=1),
                RandShiftIntensity(offsets=0.15, prob=1),
                RandGaussianSmooth((0.3, 1.0), (0.3, 1.0), prob=0.3),
                RandGaussianNoise(prob=0.5, std=0.06),
            ]
        ).set_random_state(_seed(rng))

    def __call__(self, image: Tensor) -> Tensor:
        """Change an image (C, H, W) in [-1, 1]."""
        with plain_tensors():
            lit = self._exposure(image)
            if self._rng.random() < HAZE_CHANCE:
                lit = torch.from_numpy(haze(np.asarray(lit), float(self._rng.uniform(0, MOST_HAZE)), self._rng))
                if self._rng.random() < STRETCH_CHANCE:
                    lit = _stretched(lit)
            seen = self._camera(lit)
        return torch.as_tensor(np.asarray(seen)).float().clamp(-1, 1)


@contextmanager
def plain_tensors() -> Iterator[None]:
    """Let MONAI's transforms carry no record of what they did, which takes them as long as doing it."""
    before = get_track_meta()
    set_track_meta(False)
    try:
        yield
    finally:
        set_track_meta(before)


def haze(image: NDArray[np.float32], share: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """Lay a smooth background over an image, as out-of-focus light or dense tissue does.

    Parameters
    ----------
    image
        (C, H, W).
    share
        Of the background in the result, 0 to 1.
    rng
        Draws two of the image's own colours, evenly between its darkest and its brightest, and how the background
        passes from one to the other.
    """
    channels, height, width = image.shape
    pixels = image.reshape(channels, -1)
    intensity = pixels.mean(0)
    wanted = rng.uniform(intensity.min(), intensity.max(), 2)
    first, second = (pixels[:, np.abs(intensity - each).argmin()][:, None, None] for each in wanted)
    mixed = resize(rng.random((HAZE_CELLS, HAZE_CELLS)), (height, width), order=3).clip(0, 1)
    background = first * (1 - mixed) + second * mixed
    return ((1 - share) * image + share * background).astype(np.float32)


def with_copies(window: LabeledWindow, n: int, rng: np.random.Generator) -> LabeledWindow:
    """Put touching copies of its own objects into a window, see `touching_copies`."""
    rows, columns = window.inside
    places = np.stack([window.source_rows, window.source_columns])
    pixels, labels, places, original = touching_copies(
        window.image[:, rows, columns].numpy(), window.labels, places, n, rng
    )
    image = window.image.clone()
    image[:, rows, columns] = torch.from_numpy(pixels)
    of_label = dict(window.class_of_label)
    of_label |= {copy: of_label[label] for copy, label in original.items() if label in of_label}
    return replace(
        window,
        image=image,
        labels=labels,
        targets=pixel_targets(labels, of_label),
        class_of_label=of_label,
        source_rows=places[0],
        source_columns=places[1],
    )


def _stretched(image: Tensor) -> Tensor:
    """Normalise anew by percentiles, without stretching less than 0.3 of the range of [-1, 1] to all of it."""
    low, high = np.percentile(np.asarray(image), (1.0, 99.8))
    return (image - low) / max(high - low, 0.3) * 2 - 1


def _seed(rng: np.random.Generator) -> int:
    return int(rng.integers(SEED_LIMIT))
