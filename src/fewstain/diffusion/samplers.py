"""From noise to images: one short function a sampler, all in the coordinates of the noise level.

An image at noise level sigma is x = x_0 + sigma epsilon, with epsilon ~ N(0, I): the x_t of DDPM divided by
sqrt(abar_t), and sigma_t² = (1 - abar_t) / abar_t. D(x, sigma) = E[x_0 | x] is all that a sampler asks of a network;
the score is (D(x, sigma) - x) / sigma². Images at level sigma are carried to other levels by the probability-flow ODE

    dx/dsigma = (x - D(x, sigma)) / sigma                       (Karras et al., NeurIPS 2022, eq. 1 with sigma(t) = t)

or by the reverse SDE of dx = sqrt(d[sigma²]/dt) dw (Song et al., ICLR 2021, eq. 6 and 9), which has the same marginals.

Every sampler takes and gives

    denoise   D; called with x and a level, > 0
    x         (B, ...) images at level sigmas[0], of any float dtype; it is not changed
    sigmas    (n + 1,) levels to go through, falling and > 0 but for the last, which may be 0: then the last step,
              whatever the method, is to D, the end of a straight line from x
    draw      in samplers with chance: gives standard normal noise like x; called once in every step that adds noise

and returns (B, ...) images at level sigmas[-1]. Levels may also rise in the ODE samplers; that is how an image is
carried to its noise. Only `dpmpp_2m` remembers more than x from step to step, so that any other sampler may be stopped
at a level and gone on with from there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

from torch import Tensor

Denoise = Callable[[Tensor, float], Tensor]
Draw = Callable[[], Tensor]


def euler(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Euler's method on the probability-flow ODE: order 1, one evaluation a step."""
    for sigma, after in pairwise(sigmas):
        x = x + (after - sigma) * _slope(denoise, x, sigma)
    return x


def heun(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Heun's method, the explicit trapezoid (Karras et al., NeurIPS 2022, algorithm 1): order 2, two evaluations."""
    for sigma, after in pairwise(sigmas):
        slope = _slope(denoise, x, sigma)
        reached = x + (after - sigma) * slope
        if after > 0:
            reached = x + (after - sigma) * (slope + _slope(denoise, reached, after)) / 2
        x = reached
    return x


def rk4(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """Run the classical Runge-Kutta method (Kutta 1901): order 4, four evaluations a step."""
    for sigma, after in pairwise(sigmas):
        step, middle = after - sigma, (sigma + after) / 2
        first = _slope(denoise, x, sigma)
        if after == 0:
            x = x + step * first
            continue
        second = _slope(denoise, x + step / 2 * first, middle)
        third = _slope(denoise, x + step / 2 * second, middle)
        fourth = _slope(denoise, x + step * third, after)
        x = x + step * (first + 2 * second + 2 * third + fourth) / 6
    return x


def dpmpp_2m(denoise: Denoise, x: Tensor, sigmas: Sequence[float]) -> Tensor:
    """DPM-Solver++(2M) (Lu et al., 2022, algorithm 2): order 2, one evaluation a step.

    The ODE is linear but for D. The linear part is solved exactly, with D taken at the middle of the step in
    lambda = -log sigma: on the straight line through its last two values.
    """
    previous: tuple[Tensor, float] | None = None
    for sigma, after in pairwise(sigmas):
        denoised = denoise(x, sigma)
        middle = denoised
        if previous is not None and after > 0:
            ratio = math.log(sigma / after) / math.log(previous[1] / sigma)  # 1 / r of the paper
            middle = (1 + ratio / 2) * denoised - ratio / 2 * previous[0]
        x = (after / sigma) * x + (1 - after / sigma) * middle
        previous = denoised, sigma
    return x


def ddim(denoise: Denoise, x: Tensor, sigmas: Sequence[float], draw: Draw, eta: float = 0.0) -> Tensor:
    """DDIM (Song et al., ICLR 2021, eq. 12 and 16 over sqrt(abar)), from deterministic, eta = 0, to DDPM, eta = 1."""
    for sigma, after in pairwise(sigmas):
        denoised = denoise(x, sigma)
        fresh = eta * math.sqrt(posterior_variance(sigma, after)) if eta else 0.0
        x = denoised + math.sqrt(after**2 - fresh**2) / sigma * (x - denoised)
        if fresh:
            x = x + fresh * draw()
    return x


def ddpm(denoise: Denoise, x: Tensor, sigmas: Sequence[float], draw: Draw) -> Tensor:
    """DDPM's ancestral sampling (Ho et al., NeurIPS 2020, eq. 6, 7 and 11) between any two levels.

    Each step draws from q(x_s | x_t, x_0 = D(x_t)), the smaller of the two variances of their section 3.2.
    """
    for sigma, after in pairwise(sigmas):
        denoised = denoise(x, sigma)
        x = denoised + (after / sigma) ** 2 * (x - denoised)
        if after > 0:
            x = x + math.sqrt(posterior_variance(sigma, after)) * draw()
    return x


def euler_maruyama(denoise: Denoise, x: Tensor, sigmas: Sequence[float], draw: Draw) -> Tensor:
    """Euler-Maruyama on the reverse SDE in time u = sigma², dx = -score du + dw (Song et al., ICLR 2021, eq. 6)."""
    for sigma, after in pairwise(sigmas):
        step = sigma**2 - after**2
        x = x + step / sigma**2 * (denoise(x, sigma) - x)
        if after > 0:
            x = x + math.sqrt(step) * draw()
    return x


def posterior_variance(sigma: float, after: float) -> float:
    """Variance of x at level `after` given x at level `sigma` and x_0 (Ho et al., NeurIPS 2020, eq. 7, over abar)."""
    return (after / sigma) ** 2 * (sigma**2 - after**2)


def _slope(denoise: Denoise, x: Tensor, sigma: float) -> Tensor:
    """dx/dsigma, which is also the predicted epsilon."""
    return (x - denoise(x, sigma)) / sigma
