"""A few principal components of each feature map: what the ensemble learns from, and how it is unfolded again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from torch import Tensor

from fewstain.pixels.ensemble import PixelEnsemble


@dataclass(frozen=True)
class Projection:
    """Standardise each map's channels and keep some directions of them.

    A denoiser gives hundreds of channels, more than two dozen windows tell apart from noise: with 8 components a map
    the ensemble scores no worse than with all (docs/accuracy.md), trains faster and holds less. The projection is
    linear, so that it folds into the first layer and nothing of it is left when the ensemble is applied.

    Attributes
    ----------
    mean, std
        (F_i,) of each map's channels.
    directions
        (F_i, k_i) orthonormal, of each map.
    """

    mean: tuple[Tensor, ...]
    std: tuple[Tensor, ...]
    directions: tuple[Tensor, ...]

    @property
    def widths(self) -> tuple[int, ...]:
        """Number of components of each map."""
        return tuple(each.shape[1] for each in self.directions)

    def apply(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """Project maps (B, F_i, H_i, W_i) to (B, k_i, H_i, W_i); commutes with bilinear sampling."""
        projected = []
        for each, mean, std, directions in zip(maps, self.mean, self.std, self.directions, strict=True):
            standard = (each - mean.to(each)[:, None, None]) / std.to(each)[:, None, None]
            projected.append(torch.einsum("bfhw,fk->bkhw", standard, directions.to(each)))
        return projected

    def select(self, maps: Sequence[int]) -> Projection:
        """Return the projection of some of the maps only."""
        mean, std, directions = (
            tuple(each[index] for index in maps) for each in (self.mean, self.std, self.directions)
        )
        return Projection(mean, std, directions)

    def unfold(self, ensemble: PixelEnsemble) -> PixelEnsemble:
        """Turn an ensemble on components into the same function of the raw features.

        Parameters
        ----------
        ensemble
            Takes sum(k_i) components.

        Returns
        -------
        PixelEnsemble
            Takes sum(F_i) channels; its `mean` and `std` are those of the channels.
        """
        directions = torch.block_diag(*self.directions)
        raw = PixelEnsemble(ensemble.members, len(directions), ensemble.classes, ensemble.hidden, ensemble.dropout)
        state = ensemble.state_dict()
        weight = state["weights.0"] / ensemble.std[:, None]
        state["biases.0"] = state["biases.0"] - torch.einsum("k,mkh->mh", ensemble.mean, weight)[:, None]
        state["weights.0"] = torch.einsum("fk,mkh->mfh", directions, weight)
        state["mean"], state["std"] = torch.cat(self.mean), torch.cat(self.std)
        raw.load_state_dict(state)
        return raw.eval()


def fit_projection(samples: Iterable[NDArray[np.float32]], components: int, whole: Sequence[bool]) -> Projection:
    """Find each map's principal components (after standardising its channels).

    Parameters
    ----------
    samples
        (N, F_i) features at N pixels, for each map.
    components
        How many to keep of each map; 0 keeps all channels as they are.
    whole
        Maps to keep all channels of.
    """
    means, spreads, directions = [], [], []
    for sample, entire in zip(samples, whole, strict=True):
        mean, std = sample.mean(0), np.maximum(sample.std(0), 1e-4)
        width = sample.shape[1]
        if entire or components == 0 or components >= width:
            basis = np.eye(width, dtype=np.float32)
        else:
            basis = PCA(components, svd_solver="covariance_eigh").fit((sample - mean) / std).components_.T
        means.append(torch.from_numpy(mean))
        spreads.append(torch.from_numpy(std))
        directions.append(torch.from_numpy(np.ascontiguousarray(basis, np.float32)))
    return Projection(tuple(means), tuple(spreads), tuple(directions))
