"""Pixel classifiers on a denoiser's features as published: Baranchuk et al., ICLR 2022, and their code.

Where fewstain differs: timesteps and blocks are fixed, features are neither projected nor stacked with filters, pixels
are not stratified, windows not seen in other views; members vote, and instances come of semantic classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.segmentation import watershed
from torch import Tensor, nn
from torch.nn import functional

from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.progress import StepProgress
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.features import DiffusionFeatures, block_names
from fewstain.pixels.gather import gather
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.predict import ImageMaps, predict_maps
from fewstain.pixels.targets import BACKGROUND, INTERIOR
from fewstain.settings import SegmentSettings

TIMESTEPS = (50, 150, 250)  # of a schedule of 1000, as are the next two lines (their table of best configurations)
PUBLISHED_SCHEDULE = 1000
BLOCKS = (5, 6, 7, 8, 12)  # of the 18 blocks of their network's decoder
PUBLISHED_BLOCKS = 18
MEMBERS = 10
BATCH_PIXELS = 64
LEARNING_RATE = 1e-3
MOST_EPOCHS = 100
FULL_EPOCHS = 4  # none ends earlier
PATIENCE = 50  # batches without a lower loss
LEAST_AREA = 0.5  # of the smallest labeled object; smaller ones are taken for noise
CLASSES = INTERIOR + 1


def published_timesteps(train_timesteps: int) -> tuple[int, ...]:
    """Find the published timesteps at the same places of a schedule of another length."""
    return tuple(timestep * train_timesteps // PUBLISHED_SCHEDULE for timestep in TIMESTEPS)


def published_blocks(denoiser: Denoiser) -> tuple[str, ...]:
    """Find the blocks of a decoder at the depths of the published ones, each once."""
    names = [name for name in block_names(denoiser) if name != "mid"]
    return tuple(dict.fromkeys(names[block * len(names) // PUBLISHED_BLOCKS] for block in BLOCKS))


def pixel_classifier(features: int, outputs: int) -> nn.Sequential:
    """Make one member as in their `pixel_classifier.py`, weights drawn from N(0, 0.02²)."""
    layers = nn.Sequential(
        *(nn.Linear(features, 128), nn.ReLU(), nn.BatchNorm1d(128)),
        *(nn.Linear(128, 32), nn.ReLU(), nn.BatchNorm1d(32)),
        nn.Linear(32, outputs),
    )
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, 0.0, 0.02)
            nn.init.zeros_(layer.bias)
    return layers


@dataclass
class DdpmSeg:
    """Ten pixel classifiers that vote.

    Parameters
    ----------
    denoiser
        Trained.
    members
        Classifiers.
    most_epochs
        At most; they end before when the loss no longer falls.
    seed
        Of noise, weights and batches.
    settings
        Tiles of large images.
    """

    denoiser: Denoiser
    members: int = MEMBERS
    most_epochs: int = MOST_EPOCHS
    seed: int = 0
    settings: SegmentSettings = field(default_factory=SegmentSettings)
    classifiers: list[nn.Sequential] = field(default_factory=list, init=False, repr=False)
    least_area: float = field(default=0.0, init=False)

    def __post_init__(self) -> None:
        timesteps = published_timesteps(int(self.denoiser.scheduler.config["num_train_timesteps"]))
        self.extractor = DiffusionFeatures(self.denoiser, timesteps, published_blocks(self.denoiser), seed=self.seed)

    def fit(self, windows: Sequence[LabeledWindow]) -> Self:
        """Train the members one after another on all pixels of the windows."""
        torch.manual_seed(self.seed)
        features = torch.cat([self._rows(window) for window in windows])
        classes = torch.cat([torch.from_numpy(window.targets.classes).flatten() for window in windows])
        self.classifiers = []
        with StepProgress("pixel classifiers", self.members, images_per_step=0) as progress:
            for number in range(1, self.members + 1):
                trained = train_classifier(features, classes.to(features.device), self.most_epochs)
                self.classifiers.append(trained)
                progress.show(number)
        areas = np.concatenate([np.bincount(window.labels.ravel())[1:] for window in windows])
        self.least_area = LEAST_AREA * float(areas[areas > 0].min()) if (areas > 0).any() else 0.0
        return self

    def find(self, image: NDArray[np.float32]) -> NDArray[np.int32]:
        """Find the objects of an image (C, H, W) in [-1, 1]: (H, W) labels."""
        vote, planes = _Vote(self), np.moveaxis(image, 0, -1)
        maps = ImageMaps.empty((image.shape[1], image.shape[2]), vote)
        predict_maps(planes, lambda window: np.moveaxis(window, -1, 0), vote, self.settings, maps)
        return instances_of_classes(maps.probabilities.argmax(0), self.least_area)

    def _rows(self, window: LabeledWindow) -> Tensor:
        """Features (P, F) float16 of all pixels of a window, which all members share."""
        size = (window.image.shape[1], window.image.shape[2])
        inside = [torch.arange(side.start, side.stop) for side in window.inside]
        rows, columns = (each.flatten() for each in torch.meshgrid(*inside, indexing="ij"))
        maps = self.extractor.maps(window.image[None], window.origin)
        return gather(maps, rows.to(maps[0].device), columns.to(maps[0].device), size).half()


def train_classifier(features: Tensor, classes: Tensor, most_epochs: int = MOST_EPOCHS) -> nn.Sequential:
    """Train one member on features (P, F) and classes (P,), with their early end."""
    classifier = pixel_classifier(features.shape[1], CLASSES).to(features.device).train()
    optimiser = torch.optim.Adam(classifier.parameters(), lr=LEARNING_RATE)
    least, without_gain = float("inf"), 0
    for epoch in range(most_epochs):
        for batch in torch.randperm(len(features), device=features.device).split(BATCH_PIXELS):
            if len(batch) == 1:  # would stop batch normalisation
                continue
            loss = functional.cross_entropy(classifier(features[batch].float()), classes[batch])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            if epoch < FULL_EPOCHS:
                continue
            value = loss.item()
            least, without_gain = (value, 0) if value < least else (least, without_gain + 1)
            if without_gain > PATIENCE:
                return classifier.eval()
    return classifier.eval()


def instances_of_classes(classes: NDArray[np.integer], least_area: float = 0.0) -> NDArray[np.int32]:
    """Turn semantic classes into instances: each connected interior, grown over the boundary pixels that it touches.

    Parameters
    ----------
    classes
        (H, W): background, boundary, interior.
    least_area
        Smaller objects are dropped, pixels.

    Returns
    -------
    ndarray
        (H, W) int32 labels 1..n, 0 = background.
    """
    seeds, _ = ndimage.label(classes == INTERIOR)
    foreground = classes != BACKGROUND
    grown = watershed(ndimage.distance_transform_edt(seeds == 0), seeds, mask=foreground)
    keep = np.bincount(grown.ravel()) >= max(least_area, 1)
    keep[0] = False
    return (np.cumsum(keep) * keep)[grown].astype(np.int32)


class _Vote:
    """Maps a tile: probabilities are 1 for the class that most members say, else 0."""

    def __init__(self, fitted: DdpmSeg) -> None:
        self.fitted, self.multiple, self.classes = fitted, fitted.extractor.multiple, CLASSES

    @torch.inference_mode()
    def __call__(self, images: Tensor, origin: tuple[int, int], flips: bool = False) -> PixelMaps:
        height, width = images.shape[2:]
        padded = functional.pad(images, (0, -width % self.multiple, 0, -height % self.multiple), mode="replicate")
        size = (padded.shape[2], padded.shape[3])
        maps = self.fitted.extractor.maps(padded, origin)
        features = [functional.interpolate(each, size, mode="bilinear", align_corners=False)[0] for each in maps]
        rows = torch.cat(features).flatten(1).T
        votes = torch.stack([classifier(rows).argmax(1) for classifier in self.fitted.classifiers]).mode(0).values
        chosen = functional.one_hot(votes, CLASSES).T.unflatten(1, size)[None, :, :height, :width].float()
        nothing = chosen.new_zeros(1, height, width)
        return PixelMaps(chosen, nothing, nothing)
