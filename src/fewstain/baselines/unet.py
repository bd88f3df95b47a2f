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
from torch import nn

from fewstain.baselines.presets import UNetSettings
from fewstain.baselines.segmenter import single_maps
from fewstain.diffusion.precision import choose_precision
from fewstain.diffusion.progress import StepProgress
from fewstain.pairs.segmenter_training import labeled_crops, segmentation_loss
from fewstain.pairs.unet import new_unet
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.targets import INTERIOR
from fewstain.settings import SegmenterSettings

CLASSES = INTERIOR + 1
PERCENT = 100  # a budget of seconds has no number of steps


@dataclass
class UNetSegmenter:
    """A U-Net that predicts the pixels' class and distance, for a number of steps or of seconds.

    It is trained in the number format that fewstain's own networks are, see `choose_precision`.

    Parameters
    ----------
    steps, seconds
        When training ends; exactly one of them is given. The learning rate falls with it (cosine, after a warm-up).
    settings
        Of the network, of its training by AdamW, and of its prediction.
    device, seed
        Where it runs; the seed of weights, crops and augmentation.
    """

    steps: int | None = None
    seconds: float | None = None
    settings: UNetSettings = field(default_factory=UNetSettings)
    device: str = "cpu"
    seed: int = 0
    steps_done: int = field(default=0, init=False)
    _network: nn.Module | None = field(default=None, init=False, repr=False)

    def fit(
        self, windows: Sequence[LabeledWindow], pairs: Sequence[LabeledWindow] = (), pairs_share: float = 0.5
    ) -> Self:
        """Learn from windows, and from synthetic pairs; see `PixelSegmenter`. `steps_done` tells the steps it took.

        Parameters
        ----------
        windows
            May be empty where there are pairs and their share is 1.
        pairs
            Learned from as they are: of windows alone, views with copies of their objects are made.
        pairs_share
            Of the crops that are of pairs, where there are some, [0, 1].
        """
        if (self.steps is None) == (self.seconds is None):
            raise ValueError("give either steps or seconds")
        torch.manual_seed(self.seed)
        rng = np.random.default_rng(self.seed)
        own = self.settings
        crops = labeled_crops(windows, SegmenterSettings(crop=own.crop, pairs_share=pairs_share), rng, pairs=pairs)
        precision = choose_precision()
        network = new_unet([*windows, *pairs][0].image.shape[0], CLASSES, own.features).to(self.device).train()
        if precision.channels_last:
            network = network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        rate, decay = own.learning_rate, own.weight_decay
        optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=decay, fused=True)
        start, self.steps_done = time.monotonic(), 0
        with StepProgress("training U-Net, per cent", PERCENT, images_per_step=0) as shown:
            while (progress := self._progress(time.monotonic() - start)) < 1:
                for group in optimizer.param_groups:
                    group["lr"] = own.learning_rate * cosine_with_warmup(progress)
                batch = {key: planes.to(self.device) for key, planes in crops.draw(own.batch_size, rng).items()}
                with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=precision.mixed == "bf16"):
                    output = network(precision.lay_out(batch["image"]))
                loss = segmentation_loss(output.float(), batch)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()
                optimizer.step()
                self.steps_done += 1
                if shown.due(percent := int(PERCENT * progress)):
                    shown.show(percent, loss=float(loss.detach()))
            shown.show(PERCENT)
        self._network = network.eval()
        return self

    @torch.inference_mode()
    def predict(self, image: np.ndarray) -> PixelMaps:
        """Predict the maps of an image (C, H, W) by a sliding window; see `PixelSegmenter`."""
        if self._network is None:
            raise ValueError("fit first")
        size = (self.settings.window, self.settings.window)
        inferer = SlidingWindowInferer(size, sw_batch_size=4, overlap=0.25, mode="gaussian", padding_mode="replicate")
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


def cosine_with_warmup(progress: float, warmup: float = 0.05) -> float:
    """Learning rate as a share of the largest, after a share `progress` of the training."""
    if progress < warmup:
        return (progress + 1e-3) / (warmup + 1e-3)
    return 0.5 * (1 + math.cos(math.pi * (progress - warmup) / (1 - warmup)))
