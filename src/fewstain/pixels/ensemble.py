"""An ensemble of small pixel MLPs, trained as one batched network and applied without upsampling the features."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

UNITS_AT_ONCE = 32  # of the first layer, when predicting; all 128 at full size would be four times the memory


@dataclass(frozen=True)
class PixelMaps:
    """What the ensemble says of every pixel.

    Attributes
    ----------
    probabilities
        (B, K, H, W) mean over members: background, boundary, then the interior of each class of objects.
    distance
        (B, H, W) normalised distance to the object's border, [0, 1], mean over members.
    uncertainty
        (B, H, W) Jensen-Shannon divergence of the members, nats.
    """

    probabilities: Tensor
    distance: Tensor
    uncertainty: Tensor

    def stacked(self) -> NDArray[np.float32]:
        """All planes of a batch of one: (K + 2, H, W), probabilities, distance, uncertainty."""
        return torch.cat([self.probabilities[0], self.distance, self.uncertainty]).float().cpu().numpy()

    def cut(self, rows: slice, columns: slice) -> PixelMaps:
        """Cut a window out."""
        return PixelMaps(*(each[..., rows, columns] for each in (self.probabilities, self.distance, self.uncertainty)))


class PixelEnsemble(nn.Module):
    """`members` MLPs F -> hidden[0] -> hidden[1] -> K class logits and a distance, as one batch of matrices.

    Features are standardised with the buffers `mean` and `std`, which folds into the first layer.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, members: int, features: int, classes: int, hidden: tuple[int, int] = (128, 32), dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.dropout = dropout
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("std", torch.ones(features))
        widths = (features, *hidden, classes + 1)
        self.weights = nn.ParameterList()
        self.biases = nn.ParameterList()
        for fan_in, fan_out in pairwise(widths):
            self.weights.append(nn.Parameter(torch.randn(members, fan_in, fan_out) * math.sqrt(2 / fan_in)))
            self.biases.append(nn.Parameter(torch.zeros(members, 1, fan_out)))

    @property
    def members(self) -> int:
        """Number of MLPs."""
        return self.weights[0].shape[0]

    @property
    def classes(self) -> int:
        """Number of pixel classes K."""
        return self.weights[-1].shape[2] - 1

    @property
    def hidden(self) -> tuple[int, int]:
        """Widths of the two hidden layers."""
        return self.weights[0].shape[2], self.weights[1].shape[2]

    def forward(self, features: Tensor) -> tuple[Tensor, Tensor]:
        """Apply each member to its own pixels.

        Parameters
        ----------
        features
            (members, N, F), raw, not standardised.

        Returns
        -------
        logits, distance_logit
            (members, N, K) and (members, N).
        """
        layers = [self._first_layer_of_raw(), *zip(self.weights[1:], self.biases[1:], strict=True)]
        hidden = features
        for index, (weight, bias) in enumerate(layers):
            hidden = torch.baddbmm(bias, hidden, weight)
            if index < len(layers) - 1:
                hidden = functional.dropout(functional.relu(hidden), self.dropout, self.training)
        return hidden[..., :-1], hidden[..., -1]

    def _first_layer_of_raw(self) -> tuple[Tensor, Tensor]:
        """Fold the standardisation into the first layer: weights (members, F, h1) and biases (members, 1, h1)."""
        weights = self.weights[0] / self.std[:, None]
        return weights, self.biases[0] - torch.einsum("f,mfh->mh", self.mean, weights)[:, None]

    def select(self, members: Sequence[int]) -> PixelEnsemble:
        """Return the ensemble of some of the members only."""
        index = torch.as_tensor(members)
        chosen = PixelEnsemble(len(index), len(self.mean), self.classes, self.hidden, self.dropout)
        every = {
            name: value[index] if name.startswith(("weights", "biases")) else value
            for name, value in self.state_dict().items()
        }
        chosen.load_state_dict(every)
        return chosen.to(self.mean.device).eval()

    @torch.inference_mode()
    def predict(self, maps: Sequence[Tensor], size: tuple[int, int]) -> PixelMaps:
        """Apply all members to every pixel of small maps.

        A 1 x 1 layer and bilinear upsampling commute, W up([f1 .. fk]) = sum up(Wi fi): the first layer runs at each
        map's own resolution, and only its outputs are upsampled.

        Parameters
        ----------
        maps
            (B, F_i, H_i, W_i) each, in the order of training.
        size
            (H, W) of the result.
        """
        weights, biases = self._first_layer_of_raw()
        logits, distance = [], []
        for member in range(self.members):
            hidden = _hidden_layers(
                maps, weights[member], biases[member, 0], self.weights[1][member], self.biases[1][member], size
            )
            last = _pointwise(hidden, self.weights[2][member], self.biases[2][member]).mT.unflatten(2, size)
            logits.append(last[:, :-1])
            distance.append(last[:, -1].sigmoid())
        probabilities = torch.stack(logits).softmax(dim=2)
        return PixelMaps(probabilities.mean(0), torch.stack(distance).mean(0), jensen_shannon(probabilities))


def jensen_shannon(probabilities: Tensor, weights: Sequence[float] | None = None) -> Tensor:
    """Divergence of several predictions: entropy of their mean minus the mean of their entropies (Lin 1991, eq. 5.1).

    Parameters
    ----------
    probabilities
        (members, B, K, ...), summing to 1 over K.
    weights
        Of the members in both means, summing to 1; all the same where none are given.

    Returns
    -------
    Tensor
        (B, ...) in nats, between 0 and the entropy of the weights, which is at most log(members).
    """
    mean_entropy = _mean(torch.special.entr(probabilities).sum(2), weights)
    return (torch.special.entr(_mean(probabilities, weights)).sum(1) - mean_entropy).clamp_min(0)


def _mean(members: Tensor, weights: Sequence[float] | None) -> Tensor:
    """Mean over the first axis."""
    if weights is None:
        return members.mean(0)
    return (members.movedim(0, -1) * members.new_tensor(weights)).sum(-1)


def _hidden_layers(
    maps: Sequence[Tensor],
    first: Tensor,
    first_bias: Tensor,
    second: Tensor,
    second_bias: Tensor,
    size: tuple[int, int],
) -> Tensor:
    """Compute (B, H * W, h2) outputs of the second layer; those of the first are made some at a time and let go."""
    hidden = second_bias
    for start in range(0, len(second), UNITS_AT_ONCE):
        units = slice(start, start + UNITS_AT_ONCE)
        outputs = _first_layer(maps, first[:, units], size).add_(first_bias[units]).relu_()
        hidden = _pointwise(outputs, second[units], hidden)
    return hidden.relu_()


def _pointwise(rows: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    """Apply a layer (F, F'), and add (…, F'), to pixels (B, P, F).

    A product of matrices, for a convolution copies its operands into a layout of its own.
    """
    return torch.baddbmm(bias, rows, weight.expand(len(rows), -1, -1))


def _first_layer(maps: Sequence[Tensor], weight: Tensor, size: tuple[int, int]) -> Tensor:
    """Sum of up(Wi fi) over maps, (B, H * W, F'); maps of one resolution are added before they are upsampled."""
    by_resolution: dict[tuple[int, int], Tensor] = {}
    start = 0
    for each in maps:
        part = weight[start : start + each.shape[1]].expand(len(each), -1, -1)
        start += each.shape[1]
        resolution = (each.shape[2], each.shape[3])
        product = torch.bmm(each.flatten(2).mT, part)
        by_resolution[resolution] = by_resolution[resolution].add_(product) if resolution in by_resolution else product
    # added one by one: at full size only two are held
    total: Tensor | None = None
    for resolution, each in by_resolution.items():
        full = each if resolution == tuple(size) else _upsampled(each, resolution, size)
        total = full if total is None else total.add_(full)
    if total is None:
        raise ValueError("no maps")
    return total


def _upsampled(rows: Tensor, resolution: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Upsample (B, h * w, F) to (B, H * W, F); a pixel's features lie side by side, which is four times as fast."""
    planes = rows.unflatten(1, resolution).movedim(-1, 1)
    return functional.interpolate(planes, size, mode="bilinear", align_corners=False).movedim(1, -1).flatten(1, 2)
