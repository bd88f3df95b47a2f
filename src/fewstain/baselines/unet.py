"""MONAI's U-Net, trained from scratch on the labeled windows with augmentation."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from monai.inferers import SlidingWindowInferer
from monai.networks.nets import BasicUNet
from monai.transforms import (
    Compose,
    RandAffined,
    RandAxisFlipd,
    RandGaussianNoised,
    RandRotate90d,
    RandScaleIntensityd,
    RandShiftIntensityd,
    RandSpatialCropd,
)
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from fewstain.baselines.segmenter import single_maps
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.targets import INTERIOR
from fewstain.pixels.windows import LabeledWindow

CLASSES = INTERIOR + 1
MAPS = ("image", "classes", "distance", "known")
UNLABELED = -1


@dataclass
class UNetSegmenter:
    """A U-Net that predicts the pixels' class and distance, for a number of steps or of seconds.

    Parameters
    ----------
    steps, seconds
        When training ends; exactly one of them is given. The learning rate falls with it (cosine, after a warm-up).
    features
        Width of the five levels and of the last layer. The default has 1.0 M parameters.
    crop, batch_size
        Side of the training crops in pixels (a multiple of 16), and how many make a step.
    learning_rate, weight_decay
        Of AdamW.
    window
        Side of the sliding window of prediction, pixels (a multiple of 16).
    device, seed
        Where it runs; the seed of weights, crops and augmentation.
    """

    steps: int | None = None
    seconds: float | None = None
    features: tuple[int, int, int, int, int, int] = (24, 24, 48, 96, 192, 24)
    crop: int = 64
    batch_size: int = 8
    learning_rate: float = 1e-3
    weight_decay: float = 0.01
    window: int = 128
    device: str = "cpu"
    seed: int = 0
    steps_done: int = field(default=0, init=False)
    _network: nn.Module | None = field(default=None, init=False, repr=False)

    def fit(self, windows: Sequence[LabeledWindow]) -> Self:
        """Learn from windows; see `PixelSegmenter`. `steps_done` tells the steps it took."""
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("give either steps or seconds")
        torch.manual_seed(self.seed)
        rng = np.random.default_rng(self.seed)
        samples = [_sample(window, margin=self.crop // 4) for window in windows]
        augment = augmentation(self.crop).set_random_state(self.seed)
        network = _network(windows[0].image.shape[0], self.features).to(self.device).train()
        optimizer = torch.optim.AdamW(network.parameters(), lr=self.learning_rate, weight_decay=self.weight_decay)
        start, self.steps_done = time.monotonic(), 0
        while (progress := self._progress(time.monotonic() - start)) < 1:
            for group in optimizer.param_groups:
                group["lr"] = self.learning_rate * cosine_with_warmup(progress)
            drawn = [augment(samples[index]) for index in rng.integers(len(samples), size=self.batch_size)]
            batch = {key: torch.stack([torch.as_tensor(each[key]) for each in drawn]).to(self.device) for key in MAPS}
            loss = segmentation_loss(network(batch["image"]), batch)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            self.steps_done += 1
        self._network = network.eval()
        return self

    @torch.inference_mode()
    def predict(self, image: np.ndarray) -> PixelMaps:
        """Predict the maps of an image (C, H, W) by a sliding window; see `PixelSegmenter`."""
        if self._network is None:
            raise ValueError("fit first")
        inferer = SlidingWindowInferer(
            (self.window, self.window), sw_batch_size=4, overlap=0.25, mode="gaussian", padding_mode="replicate"
        )
        batch = torch.from_numpy(np.ascontiguousarray(image))[None].to(self.device)
        output = inferer(batch, self._network)[0].float().cpu()
        return single_maps(output[:CLASSES].softmax(0).numpy(), output[CLASSES].sigmoid().numpy())

    @property
    def parameters(self) -> int:
        """Number of weights; 0 before `fit`."""
        return 0 if self._network is None else sum(each.numel() for each in self._network.parameters())

    def _progress(self, elapsed: float) -> float:
        if self.steps is not None:
            return self.steps_done / self.steps
        return elapsed / self.seconds if self.seconds else 1.0


def augmentation(crop: int) -> Compose:
    """Random crop, mirror image, quarter turn, turn and zoom by up to a quarter, contrast, brightness and noise."""
    modes = ("bilinear", "nearest", "bilinear", "nearest")
    return Compose(
        [
            RandSpatialCropd(MAPS, (crop, crop), random_size=False),
            RandAffined(
                MAPS,
                prob=0.5,
                rotate_range=math.pi / 4,
                scale_range=(0.25, 0.25),
                spatial_size=(crop, crop),
                mode=modes,
                padding_mode="reflection",
            ),
            RandAxisFlipd(MAPS, prob=0.5),
            RandRotate90d(MAPS, prob=0.75, max_k=3),
            RandScaleIntensityd("image", prob=0.5, factors=0.25),
            RandShiftIntensityd("image", prob=0.5, offsets=0.15),
            RandGaussianNoised("image", prob=0.25, std=0.05),
        ]
    )


def segmentation_loss(output: Tensor, targets: dict[str, Tensor]) -> Tensor:
    """Cross-entropy of the classes plus mean absolute error of the distance where it is known.

    Parameters
    ----------
    output
        (B, K + 1, H, W): K class logits and the distance's logit.
    targets
        "classes", "distance", "known": (B, 1, H, W) each; pixels of the class `UNLABELED` do not count.
    """
    classes = targets["classes"][:, 0].long()
    entropy = functional.cross_entropy(output[:, :CLASSES], classes, ignore_index=UNLABELED, reduction="sum")
    entropy = entropy / (classes != UNLABELED).sum().clamp_min(1)
    known = targets["known"][:, 0] > 0.5
    error = (output[:, CLASSES].sigmoid() - targets["distance"][:, 0]).abs() * known
    return entropy + error.sum() / known.sum().clamp_min(1)


def cosine_with_warmup(progress: float, warmup: float = 0.05) -> float:
    """Learning rate as a share of the largest, after a share `progress` of the training."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))


def _network(channels: int, features: tuple[int, ...]) -> nn.Module:
    # Group norm: a batch of 8 small crops says little of a batch norm's statistics, and instance norm would
    # wash out how bright a crop is.
    return BasicUNet(
        spatial_dims=2,
        in_channels=channels,
        out_channels=CLASSES + 1,
        features=features,
        norm=("group", {"num_groups": 8}),
        upsample="nontrainable",
    )


def _sample(window: LabeledWindow, margin: int) -> dict[str, Tensor]:
    """Window with up to `margin` pixels of its surroundings, whose pixels are unlabeled: (1, h, w) maps."""
    rows, columns = (slice(max(0, side.start - margin), side.stop + margin) for side in window.inside)
    planes = torch.zeros(len(MAPS) - 1, *window.image.shape[1:])
    planes[0] = UNLABELED
    targets: tuple[NDArray, ...] = (window.targets.classes, window.targets.distance, window.targets.distance_known)
    for plane, target in zip(planes, targets, strict=True):
        plane[window.inside] = torch.from_numpy(target.astype(np.float32))
    labeled = {key: plane[None, rows, columns] for key, plane in zip(MAPS[1:], planes, strict=True)}
    return {"image": window.image[:, rows, columns], **labeled}
