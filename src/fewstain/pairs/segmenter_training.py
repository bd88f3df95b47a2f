"""Training of a network that maps pixels, on crops of labeled windows and of their views."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from accelerate import Accelerator
from monai.transforms import (
    Compose,
    RandAffined,
    RandAxisFlipd,
    RandSpatialCropd,
)
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fewstain.pixels.folds import within_margin
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.targets import INTERIOR, pixel_classes
from fewstain.pixels.views import MOST_COPIES, Lights, plain_tensors, with_copies
from fewstain.settings import SegmenterSettings

SMOOTH, SHARP = "smooth", "sharp"  # planes that may be interpolated, and planes that may not
UNLABELED = -1

Planes = dict[str, Tensor]


@dataclass(frozen=True)
class LabeledCrops:
    """What crops are drawn from: windows and their views, and synthetic pairs.

    Attributes
    ----------
    labeled
        Planes of labeled windows and their views, see `labeled_planes`.
    pairs
        Planes of synthetic pairs; may be empty.
    pairs_share
        Of the crops that are of pairs, [0, 1].
    crop
        Side, pixels.
    """

    labeled: Sequence[Planes]
    pairs: Sequence[Planes]
    pairs_share: float
    crop: int

    def draw(self, n: int, random: np.random.Generator) -> Planes:
        """Draw `n` augmented crops: (n, 1 or C, crop, crop) maps."""
        sources = [self.pairs if place < self.pairs_share else self.labeled for place in random.random(n)]
        moves, lights = geometry(self.crop).set_random_state(int(random.integers(2**32))), Lights(random)
        drawn = [augmented(source[int(random.integers(len(source)))], moves, lights) for source in sources]
        return {key: torch.stack([each[key] for each in drawn]) for key in drawn[0]}


def labeled_crops(
    windows: Sequence[LabeledWindow],
    settings: SegmenterSettings,
    random: np.random.Generator,
    *,
    held_out: Sequence[LabeledWindow] = (),
    pairs: Sequence[LabeledWindow] = (),
) -> LabeledCrops:
    """Prepare windows, and views of them with touching copies of their objects, to draw crops from.

    Parameters
    ----------
    windows
        To learn from.
    settings
        Number of views, size of the crops, and the share of pairs among them.
    random
        Draws the views.
    held_out
        Windows whose pixels, and those near them in the same image, are not learned from.
    pairs
        Synthetic pairs, as windows without surroundings; learned from as they are.
    """
    views = [
        with_copies(window, 1 + int(random.integers(MOST_COPIES)), random)
        for window in windows
        for _ in range(settings.views)
    ]
    margin = settings.crop // 2
    labeled = [labeled_planes(each, margin, near(each, held_out)) for each in [*windows, *views]]
    made = [labeled_planes(each, margin) for each in pairs]
    return LabeledCrops(labeled, made, settings.pairs_share if made else 0.0, settings.crop)


def near(window: LabeledWindow, held_out: Sequence[LabeledWindow]) -> NDArray[np.bool_]:
    """(H, W): which of a window's pixels lie in or near held-out windows of the same image."""
    found = np.zeros(window.labels.shape, np.bool_)
    for each in held_out:
        if each.group == window.group:
            found |= within_margin(window.source_rows, window.source_columns, each)
    return found


def labeled_planes(window: LabeledWindow, margin: int, ignored: NDArray[np.bool_] | None = None) -> Planes:
    """Cut a window with up to `margin` pixels of its surroundings, which are unlabeled, as are `ignored` pixels (H, W).

    Returns
    -------
    dict
        "smooth" (C + 1, h, w): image, and distance. "sharp" (3, h, w): labels, `UNLABELED` where nothing is known; the
        class of an object's inside; where the distance is known.
    """
    rows, columns = (slice(max(0, side.start - margin), side.stop + margin) for side in window.inside)
    learned = np.ones(window.labels.shape, np.bool_) if ignored is None else ~ignored
    kinds = np.zeros(int(window.labels.max(initial=0)) + 1, np.int64)
    for label, kind in window.class_of_label.items():
        if label < len(kinds):
            kinds[label] = kind
    targets: tuple[NDArray, ...] = (
        window.targets.distance,
        np.where(learned, window.labels, UNLABELED),
        kinds[window.labels],
        window.targets.distance_known & learned,
    )
    planes = torch.zeros(len(targets), *window.image.shape[1:])
    planes[1] = UNLABELED
    for plane, target in zip(planes, targets, strict=True):
        plane[window.inside] = torch.from_numpy(target.astype(np.float32))
    smooth = torch.cat([window.image, planes[:1]])
    return {SMOOTH: smooth[:, rows, columns], SHARP: planes[1:, rows, columns]}


def augmented(planes: Planes, moves: Compose, lights: Lights) -> Planes:
    """Cut a random crop, turned and zoomed at random and under other light, with its targets.

    The boundaries are drawn anew after zooming, so that they are as thin as ever.

    Parameters
    ----------
    planes
        See `labeled_planes`.
    moves
        `geometry` of the crop's side, told its random state.
    lights
        Show the image.

    Returns
    -------
    dict
        As `segmentation_loss` takes them, and "image".
    """
    with plain_tensors():
        moved = moves(planes)
    smooth, sharp = (torch.as_tensor(moved[key]) for key in (SMOOTH, SHARP))
    labels, kinds = (plane.numpy().round().astype(np.int64) for plane in sharp[:2])
    classes = pixel_classes(np.maximum(labels, 0))
    inside = classes == INTERIOR
    classes[inside] += kinds[inside]
    classes[labels == UNLABELED] = UNLABELED
    return {
        "image": lights(smooth[:-1]),
        "classes": torch.from_numpy(classes)[None],
        "distance": smooth[-1:],
        "known": sharp[2:],
    }


@cache
def geometry(crop: int) -> Compose:
    """Random crop, turned by any angle, mirrored, and zoomed by up to a quarter.

    A crop twice as large is cut first, so that what turning and zooming brings in is real.
    """
    keys, modes = (SMOOTH, SHARP), ("bilinear", "nearest")
    return Compose(
        [
            RandSpatialCropd(keys, (2 * crop, 2 * crop), random_size=False),
            RandAffined(
                keys,
                prob=1.0,
                rotate_range=math.pi,
                scale_range=(0.25, 0.25),
                spatial_size=(crop, crop),
                mode=modes,
                padding_mode="reflection",
            ),
            RandAxisFlipd(keys, prob=0.5),
        ]
    )


def segmentation_loss(output: Tensor, targets: Planes) -> Tensor:
    """Cross-entropy of the classes plus mean absolute error of the distance where it is known.

    Parameters
    ----------
    output
        (B, K + 1, H, W): K class logits and the distance's logit.
    targets
        "classes", "distance", "known": (B, 1, H, W) each; pixels of the class `UNLABELED` do not count.
    """
    classes = targets["classes"][:, 0].long()
    entropy = functional.cross_entropy(output[:, :-1], classes, ignore_index=UNLABELED, reduction="sum")
    entropy = entropy / (classes != UNLABELED).sum().clamp_min(1)
    known = targets["known"][:, 0] > 0.5
    error = (output[:, -1].sigmoid() - targets["distance"][:, 0]).abs() * known
    return entropy + error.sum() / known.sum().clamp_min(1)


def loss_of_step(
    network: nn.Module, crops: LabeledCrops, settings: SegmenterSettings, accelerator: Accelerator, seed: int
) -> Callable[[int], Tensor]:
    """Make the loss that `fewstain.diffusion.loop.run` asks for; its crops are a function of seed and step."""

    def loss_of(step: int) -> Tensor:
        drawn = crops.draw(settings.batch_size, np.random.default_rng((seed, step)))
        batch = {key: plane.to(accelerator.device) for key, plane in drawn.items()}
        with accelerator.autocast():
            output = network(batch["image"])
        return segmentation_loss(output.float(), batch)

    return loss_of
