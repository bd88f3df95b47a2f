"""Training of the ensemble: every member at once, on pixels gathered from augmented windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.features import FeatureExtractor
from fewstain.pixels.gather import gather, stratified_pixels
from fewstain.pixels.windows import LabeledWindow
from fewstain.settings import PixelSettings

DISTANCE_WEIGHT = 2.0
CONTRAST = 0.15  # a view's intensities are scaled by up to this share, and shifted as far
Pixels = tuple[Tensor, Tensor, Tensor, Tensor]


def train_ensemble(
    extractor: FeatureExtractor,
    windows: Sequence[LabeledWindow],
    settings: PixelSettings,
    n_classes: int,
    seen_by: NDArray[np.bool_],
    *,
    seed: int = 0,
    progress: Callable[[float], None] | None = None,
) -> PixelEnsemble:
    """Fit pixel MLPs on windows; members may be restricted to some windows, so that all folds train in one pass.

    The features are never held whole: a few times during training each window is turned, mirrored, re-noised, and the
    features of a stratified sample of its pixels are gathered. Each member draws its own bootstrap of them.

    Parameters
    ----------
    extractor
        Where the features come from.
    windows
        Labeled windows.
    settings
        Numbers of the training; `members` is not read, `seen_by` has the members.
    n_classes
        Pixel classes K: background, boundary and one interior for each class of objects.
    seen_by
        (members, windows) bool: which windows a member may learn from.
    seed
        Of initial weights, samples and views.
    progress
        Called with the share done.
    """
    rng = np.random.default_rng(seed)
    torch.manual_seed(seed)
    ensemble: PixelEnsemble | None = None
    views = settings.views
    for view in range(views):
        pixels = sample_view(extractor, windows, settings.pixels_per_window, rng, view)
        if ensemble is None:
            ensemble = _initial(pixels[0], n_classes, len(seen_by), settings).train()
            optimiser = torch.optim.AdamW(
                ensemble.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
            )
            schedule = torch.optim.lr_scheduler.OneCycleLR(
                optimiser, settings.learning_rate, total_steps=settings.steps, pct_start=0.1
            )
        own = [np.flatnonzero(seen[pixels[3].numpy()]) for seen in seen_by]
        own = [rng.choice(each, len(each)) for each in own]
        for step in range(settings.steps * view // views, settings.steps * (view + 1) // views):
            batch = torch.from_numpy(np.stack([rng.choice(each, settings.batch_pixels) for each in own]))
            loss = pixel_loss(ensemble, pixels, batch)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
            if progress:
                progress((step + 1) / settings.steps)
    assert ensemble is not None
    return ensemble.eval()


def sample_view(
    extractor: FeatureExtractor,
    windows: Sequence[LabeledWindow],
    pixels_per_window: int,
    rng: np.random.Generator,
    view: int,
) -> Pixels:
    """Gather pixels of one random view of each window; the first view is the window as it is.

    Returns
    -------
    features, classes, distance, window
        (N, F) float16, (N,) int64, (N,) float32 with NaN where unknown, (N,) int64 index of the window.
    """
    features, classes, distance, index = [], [], [], []
    for number, window in enumerate(windows):
        seen = window
        if view:
            seen = window.turned(int(rng.integers(4)), bool(rng.integers(2)))
        rows, columns = stratified_pixels(seen.targets, pixels_per_window, rng)
        image = _jitter(seen.image, rng) if view else seen.image
        maps = extractor.maps(image[None], seen.origin, draw=view)
        inside = torch.from_numpy(rows + seen.top), torch.from_numpy(columns + seen.left)
        features.append(gather(maps, *inside, (image.shape[1], image.shape[2])).half())
        classes.append(torch.from_numpy(seen.targets.classes[rows, columns]))
        known = np.where(seen.targets.distance_known, seen.targets.distance, np.nan)
        distance.append(torch.from_numpy(known[rows, columns].astype(np.float32)))
        index.append(torch.full((len(rows),), number))
    return torch.cat(features), torch.cat(classes), torch.cat(distance), torch.cat(index)


def pixel_loss(ensemble: PixelEnsemble, pixels: Pixels, batch: Tensor) -> Tensor:
    """Cross-entropy of the classes plus squared error of the distance where it is known; summed over members.

    Parameters
    ----------
    ensemble
        M members.
    pixels
        What `sample_view` gave.
    batch
        (M, B) indices into `pixels`, one row a member.
    """
    features, classes, distance, _ = pixels
    logits, distance_logit = ensemble(features[batch].float())
    target = distance[batch]
    known = ~target.isnan()
    error = (distance_logit.sigmoid() - target.nan_to_num()).square() * known
    entropy = functional.cross_entropy(logits.flatten(0, 1), classes[batch].flatten())
    return len(batch) * (entropy + DISTANCE_WEIGHT * error.sum() / known.sum().clamp_min(1))


def _initial(features: Tensor, n_classes: int, members: int, settings: PixelSettings) -> PixelEnsemble:
    ensemble = PixelEnsemble(members, features.shape[1], n_classes, settings.hidden, settings.dropout)
    spread, mean = torch.std_mean(features.float(), dim=0)
    ensemble.mean.copy_(mean)
    ensemble.std.copy_(spread.clamp_min(1e-4))
    return ensemble


def _jitter(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Scale and shift the intensities of an image a little, as exposure and staining do."""
    scale, shift = 1 + rng.uniform(-CONTRAST, CONTRAST), rng.uniform(-CONTRAST, CONTRAST)
    return (image * scale + shift).clamp(-1, 1)
