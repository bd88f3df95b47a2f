"""The pixel classifiers of Baranchuk et al. (ICLR 2022) in the protocol of their published code, train_interpreter.py.

- Features of every pixel of every labeled image are upsampled bilinearly to full size and held in memory as float32,
  (N, F, H, W). They are then permuted to one row a pixel, and indexed by the mask of labeled pixels; each of the two
  copies them all, so that the peak is twice the features.
- Members are trained one after another, each on all pixels: Linear F -> 128, ReLU, BatchNorm, Linear -> 32, ReLU,
  BatchNorm, Linear; weights drawn from N(0, 0.02²), biases 0; Adam, learning rate 1e-3; shuffled mini-batches of 64
  rows collated by a DataLoader without workers; up to 100 epochs, and from the fifth on an end after 51 batches in
  which the loss of a batch did not fall below the least one so far.
- An image is predicted from its upsampled features by all members; their softmax outputs are averaged.
- The noise added to an image is the same for every image.

What differs, so that one decoder serves both ways: the classes are our pixel classes, and one output more, trained with
the squared error of our distance, stands beside the class scores. The vote of members is left out, since the decoder
takes mean probabilities; so is the accuracy that the published loop computes in each step, which costs time.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from fewstain.baselines.ddpm_seg import (
    BATCH_PIXELS,
    FULL_EPOCHS,
    LEARNING_RATE,
    MOST_EPOCHS,
    PATIENCE,
    pixel_classifier,
)
from fewstain.pixels.ensemble import PixelMaps, jensen_shannon
from fewstain.pixels.features import FeatureExtractor
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.training import DISTANCE_WEIGHT

COPIES = 2  # of the features, at the peak


def fit_published(
    extractor: FeatureExtractor, windows: Sequence[LabeledWindow], n_classes: int, members: int, seed: int
) -> list[nn.Sequential]:
    """Train the members one after another on all pixels of windows of one size."""
    torch.manual_seed(seed)
    features, classes, distance = pixel_rows(extractor, windows)
    rows = TensorDataset(features, classes, distance)
    return [train_member(rows, features.shape[1], n_classes) for _ in range(members)]


def pixel_rows(extractor: FeatureExtractor, windows: Sequence[LabeledWindow]) -> tuple[Tensor, Tensor, Tensor]:
    """Return the upsampled features (P, F) of all pixels, their classes (P,) and distances (P,), NaN where unknown."""
    held = torch.zeros(0)
    for number, window in enumerate(windows):
        found = upsampled(extractor, window.image)
        if not number:
            held = torch.zeros((len(windows), *found.shape))
        held[number] = found
    depth = held.shape[1]
    held = held.permute(1, 0, 2, 3).reshape(depth, -1).permute(1, 0)  # copies
    classes = torch.from_numpy(np.stack([window.targets.classes for window in windows])).flatten()
    distance = [np.where(each.targets.distance_known, each.targets.distance, np.nan) for each in windows]
    labeled = classes >= 0  # all are; published code indexes by the labeled pixels all the same, and copies by that
    return held[labeled], classes, torch.from_numpy(np.stack(distance).astype(np.float32)).flatten()


def upsampled(extractor: FeatureExtractor, image: Tensor) -> Tensor:
    """Return all features (F, H, W) of an image (C, H, W) at its own size."""
    size = (image.shape[1], image.shape[2])
    maps = extractor.maps(image[None])
    return torch.cat([functional.interpolate(each, size, mode="bilinear", align_corners=False)[0] for each in maps])


def train_member(rows: TensorDataset, features: int, n_classes: int) -> nn.Sequential:
    """Train one member on rows of features, class and distance."""
    classifier = pixel_classifier(features, n_classes + 1).train()
    optimiser = torch.optim.Adam(classifier.parameters(), lr=LEARNING_RATE)
    # a last batch of one row would stop batch normalisation
    loader = DataLoader(rows, BATCH_PIXELS, shuffle=True, drop_last=len(rows) % BATCH_PIXELS == 1)
    least, without_gain = float("inf"), 0
    for epoch in range(MOST_EPOCHS):
        for batch in loader:
            loss = train_step(classifier, optimiser, *batch)
            if epoch < FULL_EPOCHS:
                continue
            least, without_gain = (loss, 0) if loss < least else (least, without_gain + 1)
            if without_gain > PATIENCE:
                return classifier.eval()
    return classifier.eval()


def train_step(
    classifier: nn.Sequential, optimiser: torch.optim.Optimizer, features: Tensor, classes: Tensor, distance: Tensor
) -> float:
    """Do one step on a batch of rows and return its loss."""
    optimiser.zero_grad()
    scores = classifier(features)
    known = ~distance.isnan()
    error = (scores[:, -1].sigmoid() - distance.nan_to_num()).square() * known
    loss = functional.cross_entropy(scores[:, :-1], classes)
    loss = loss + DISTANCE_WEIGHT * error.sum() / known.sum().clamp_min(1)
    loss.backward()
    optimiser.step()
    return loss.item()


def step_seconds(features: int, n_classes: int, steps: int = 200) -> float:
    """Time a training step on this machine, its batch included."""
    n = steps * BATCH_PIXELS
    rows = TensorDataset(torch.randn(n, features), torch.zeros(n, dtype=torch.int64), torch.zeros(n))
    classifier = pixel_classifier(features, n_classes + 1)
    optimiser = torch.optim.Adam(classifier.parameters(), lr=LEARNING_RATE)
    start = time.perf_counter()
    for batch in DataLoader(rows, BATCH_PIXELS, shuffle=True):
        train_step(classifier, optimiser, *batch)
    return (time.perf_counter() - start) / steps


@torch.inference_mode()
def predict_published(members: Sequence[nn.Sequential], extractor: FeatureExtractor, image: Tensor) -> PixelMaps:
    """Map one image (C, H, W) with all members."""
    found = upsampled(extractor, image)
    size = found.shape[1:]
    rows = found.flatten(1).T
    scores = [member(rows) for member in members]
    probabilities = torch.stack([each[:, :-1].softmax(1) for each in scores])
    probabilities = probabilities.transpose(1, 2).unflatten(2, size)[:, None]
    distance = torch.stack([each[:, -1].sigmoid() for each in scores]).mean(0).unflatten(0, size)
    return PixelMaps(probabilities.mean(0), distance[None], jensen_shannon(probabilities))
