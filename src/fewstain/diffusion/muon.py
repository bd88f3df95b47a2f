"""Muon: momentum whose steps are orthogonal matrices, by which a loss falls in fewer steps than by AdamW."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

MOMENTUM = 0.95
ADAMW_SIZE = 0.2  # root mean square of an entry of AdamW's steps, which these have too: both share a rate
COEFFICIENTS = (3.4445, -4.7750, 2.0315)  # of Jordan's iteration: singular values come to lie between 0.7 and 1.2
ITERATIONS = 5
TINY = 1e-7

Shape = tuple[int, int]


class Muon(Optimizer):
    """Descend by the nearest orthogonal matrix to each weight's momentum, as a matrix (outputs, all else).

    Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/); the steps' size of Liu et al. 2025
    (arXiv:2502.16982, eq. 4). `torch.optim.Muon` takes no weights of convolutions, and one matrix after the other, in
    bfloat16, which many CPUs only emulate; here those of one shape are computed together, in float32.

    Parameters
    ----------
    parameters
        Weights of two or more dimensions, contiguous or channels last.
    lr
        As AdamW's.
    weight_decay
        Decoupled, as AdamW's.
    """

    def __init__(self, parameters: Iterable[Tensor], lr: float, weight_decay: float) -> None:
        super().__init__(list(parameters), {"lr": lr, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """Take one step; parameters without a gradient stay as they are."""
        for group in self.param_groups:
            alike: dict[Shape, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault((len(parameter), parameter[0].numel()), []).append(parameter)
            for shape, parameters in alike.items():
                momenta = [self._momentum(each, each.grad) for each in parameters if each.grad is not None]
                steps = orthogonal(torch.stack([each.reshape(shape) for each in momenta]))
                size = group["lr"] * ADAMW_SIZE * max(shape) ** 0.5
                for parameter, matrix in zip(parameters, steps, strict=True):
                    parameter.mul_(1 - group["lr"] * group["weight_decay"])
                    parameter.add_(matrix.reshape(parameter.shape), alpha=-size)

    def _momentum(self, parameter: Tensor, gradient: Tensor) -> Tensor:
        """Take in a parameter's gradient, and look ahead (Nesterov)."""
        state = self.state[parameter]
        if not state:
            state["momentum_buffer"] = torch.zeros_like(parameter)
        momentum: Tensor = state["momentum_buffer"].lerp_(gradient, 1 - MOMENTUM)
        return torch.lerp(gradient, momentum, MOMENTUM)


def orthogonal(matrices: Tensor) -> Tensor:
    """Bring all singular values close to 1 (Newton-Schulz iteration): the matrices nearest to these, nearly.

    Parameters
    ----------
    matrices
        (N, rows, columns) float32, of any size.
    """
    a, b, c = COEFFICIENTS
    tall = matrices.shape[1] > matrices.shape[2]
    found = matrices.mT if tall else matrices
    found = found / (torch.linalg.matrix_norm(found, keepdim=True) + TINY)
    for _ in range(ITERATIONS):
        square = found @ found.mT
        found = torch.baddbmm(found, torch.baddbmm(square, square, square, beta=b, alpha=c), found, beta=a)
    return found.mT if tall else found


def hidden_matrices(network: nn.Module) -> list[Tensor]:
    """Weights of all linear and convolutional layers but the first and the last, in the order they were made in.

    These two take and give images, but where an encoder of conditions follows. They, vectors and tables of embeddings
    are better left to AdamW (Jordan et al. 2024).
    """
    layers = [each for each in network.modules() if isinstance(each, nn.Linear | nn.Conv2d)]
    return [layer.weight for layer in layers[1:-1]]
