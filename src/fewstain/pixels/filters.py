"""Classical filters as features: the colours and edges of the image itself, at full resolution."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from skimage.feature import multiscale_basic_features
from torch import Tensor

from fewstain.pixels.features import FeatureExtractor


class FilterFeatures:
    """Smoothed intensity, gradient and Hessian eigenvalues of each channel at several scales, and the channel itself.

    The same filters as ilastik and scikit-image's trainable segmentation. They tell of colour and edge, a denoiser's
    activations of shape; what each is worth stands in docs/accuracy.md.

    Parameters
    ----------
    sigma_min, sigma_max
        Scales of the Gaussians, pixels; from one to the next they double.
    """

    multiple = 1

    def __init__(self, sigma_min: float = 0.75, sigma_max: float = 12.0) -> None:
        self.sigma_min, self.sigma_max = sigma_min, sigma_max

    def maps(self, images: Tensor, origin: tuple[int, int] = (0, 0), draw: int = 0) -> list[Tensor]:
        """One map (B, F, H, W) at full resolution; `origin` and `draw` change nothing."""
        return [torch.stack([self._one(image) for image in images.cpu()]).to(images)]

    def _one(self, image: Tensor) -> Tensor:
        features = multiscale_basic_features(
            np.moveaxis(image.numpy(), 0, -1),
            sigma_min=self.sigma_min,
            sigma_max=self.sigma_max,
            channel_axis=-1,
            workers=1,
        )
        return torch.cat([image, torch.from_numpy(np.moveaxis(features.astype(np.float32), -1, 0))])


class StackedFeatures:
    """The maps of several extractors, one after another."""

    def __init__(self, extractors: Sequence[FeatureExtractor]) -> None:
        self.extractors = tuple(extractors)
        self.multiple = int(np.lcm.reduce([each.multiple for each in self.extractors]))

    def maps(self, images: Tensor, origin: tuple[int, int] = (0, 0), draw: int = 0) -> list[Tensor]:
        """See `FeatureExtractor.maps`; all maps are where the last extractor's are."""
        found = [each for extractor in self.extractors for each in extractor.maps(images, origin, draw)]
        return [each.to(found[-1].device) for each in found]


class ChosenFeatures:
    """Some of an extractor's maps.

    Parameters
    ----------
    extractor
        Computes them all.
    indices
        Which to give, in this order.
    """

    def __init__(self, extractor: FeatureExtractor, indices: Sequence[int]) -> None:
        self.extractor, self.indices = extractor, tuple(indices)
        self.multiple = extractor.multiple

    def maps(self, images: Tensor, origin: tuple[int, int] = (0, 0), draw: int = 0) -> list[Tensor]:
        """See `FeatureExtractor.maps`."""
        found = self.extractor.maps(images, origin, draw)
        return [found[index] for index in self.indices]
