"""The samplers by name, and what a number of network evaluations buys with each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diffusers import DDPMScheduler
from torch import Tensor

from fewstain.diffusion import samplers
from fewstain.diffusion.levels import Predict, level_denoiser, trained_levels, uniform_levels
from fewstain.diffusion.samplers import Denoise, Draw
from fewstain.errors import UserError

# Where Heun and RK4 begin; from Karras et al., NeurIPS 2022, table 1. D hardly changes above it, but a cosine schedule
# begins at 2e4, and what little D does change in so long a step is multiplied by its length.
HIGHEST = 80.0

BoundSampler = Callable[[Denoise, Tensor, Sequence[float]], Tensor]


@dataclass(frozen=True)
class Method:
    """A sampler and its grid of noise levels, those of timesteps evenly apart.

    Levels evenly apart in sigma^(1/7) (Karras et al., NeurIPS 2022, eq. 5) were no better on the whole, and much worse
    for Heun with few evaluations: docs/diffusion.md, grids of noise levels.

    Steps are counted as evaluations of the network, so that methods compare: of the same number, Heun's grid gets half
    as many steps as Euler's. The last step, to level 0, takes one evaluation whatever the method. Evaluations that make
    no whole step are not spent.

    Attributes
    ----------
    sampler
        One of `fewstain.diffusion.samplers`.
    evaluations
        Of the network in one step.
    highest
        Level above which it does not begin.
    random
        Whether it draws noise on its way, whatever its options.
    takes_eta
        Whether it draws as much noise as an option eta says.
    """

    sampler: Callable[..., Tensor]
    evaluations: int = 1
    highest: float = math.inf
    random: bool = False
    takes_eta: bool = False

    @property
    def fewest(self) -> int:
        """The least evaluations with which it is itself: one whole step, and the last one where that is another."""
        return 1 if self.evaluations == 1 else self.evaluations + 1

    def grid(self, scheduler: DDPMScheduler, steps: int, first: int | None = None) -> list[float]:
        """Levels to go through with `steps` evaluations, from timestep `first`, or the highest useful, to 0."""
        trained = trained_levels(scheduler)
        useful = int((trained <= self.highest).sum()) - 1
        first = useful if first is None else min(first, useful)
        return uniform_levels(trained, min((steps - 1) // self.evaluations, first) + 1, first)

    def cost(self, scheduler: DDPMScheduler, steps: int, first: int | None = None) -> int:
        """Return how many of `steps` evaluations it spends."""
        return (len(self.grid(scheduler, steps, first)) - 2) * self.evaluations + 1

    def bind(self, draw: Draw, eta: float = 0.0) -> BoundSampler:
        """Give it its noise; what is left is a function of (denoise, x, sigmas)."""
        options = {"draw": draw} if self.random else {"draw": draw, "eta": eta} if self.takes_eta else {}
        return functools.partial(self.sampler, **options)


METHODS = {
    "ddpm": Method(samplers.ddpm, random=True),
    "ddim": Method(samplers.ddim, takes_eta=True),
    "euler": Method(samplers.euler),
    "heun": Method(samplers.heun, evaluations=2, highest=HIGHEST),
    "rk4": Method(samplers.rk4, evaluations=4, highest=HIGHEST),
    "dpm++": Method(samplers.dpmpp_2m),
    "sde": Method(samplers.euler_maruyama, random=True),
}


def check_method(scheduler: DDPMScheduler, method: str, steps: int, eta: float = 0.0) -> None:
    """Raise UserError for an unknown method, and for a number of steps or an eta that it cannot take."""
    if method not in METHODS:
        raise UserError(f"no sampler {method!r}; choose one of {', '.join(METHODS)}")
    chosen = METHODS[method]
    most = (len(scheduler.alphas_cumprod) - 1) * chosen.evaluations + 1
    if not chosen.fewest <= steps <= most:
        raise UserError(
            f"{steps} steps; with this denoiser {method} takes {chosen.fewest} to {most} evaluations of the network"
        )
    if not 0 <= eta <= 1:
        raise UserError(f"eta {eta}; it is a share of DDPM's noise, from 0 to 1")
    if eta and not chosen.takes_eta:
        raise UserError(f"eta {eta} with method {method}; only ddim has one: leave it out, or choose ddim")


def paint(
    predict: Predict,
    scheduler: DDPMScheduler,
    noised: Tensor,
    draw: Draw,
    *,
    method: str,
    steps: int,
    eta: float = 0.0,
    first: int | None = None,
) -> Tensor:
    """Carry noised images down to level 0.

    Parameters
    ----------
    predict
        (x_t (B, ...), timesteps (B,)) -> (B, ...): a denoiser, or a function that has its conditions bound.
    scheduler
        The noise schedule and kind of prediction of `predict`.
    noised
        (B, ...) x_t at timestep `first`, of variance 1 where that is the last: standard normal noise. A grid that does
        not begin so high takes it for an x_t of where it does; there is next to nothing but noise in either.
    draw
        Noise for the methods with chance.
    method, steps, eta
        As `check_method` lets them pass.
    first
        Timestep in [0, T) at which `noised` is; by default T - 1.

    Returns
    -------
    Tensor
        (B, ...) float; in [-1, 1] where the scheduler clips samples.
    """
    chosen = METHODS[method]
    sigmas = chosen.grid(scheduler, steps, first)
    sampler = chosen.bind(draw, eta)
    return sampler(level_denoiser(predict, scheduler), noised * math.sqrt(1 + sigmas[0] ** 2), sigmas)
