"""The feature extractor of the product: classical filters and a denoiser's activations, stacked."""

from __future__ import annotations

from collections.abc import Sequence

from fewstain.diffusion.network import Denoiser
from fewstain.pixels.features import DiffusionFeatures, FeatureExtractor
from fewstain.pixels.filters import FilterFeatures, StackedFeatures


def build_extractor(
    denoiser: Denoiser,
    timesteps: Sequence[int],
    blocks: Sequence[str] | None,
    *,
    filters: bool,
    noise_draws: int,
    seed: int,
    autocast: bool,
) -> FeatureExtractor:
    """Stack `FilterFeatures`, when `filters`, and `DiffusionFeatures`; see there for the arguments."""
    learned = DiffusionFeatures(denoiser, timesteps, blocks, noise_draws=noise_draws, seed=seed, autocast=autocast)
    return StackedFeatures([FilterFeatures(), learned]) if filters else learned
