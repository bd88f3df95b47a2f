"""The samplers by name, and what a number of network evaluations buys with each."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from diffusers import DDPMScheduler
from torch import Tensor

from fewstain.diffusion import samplers
from fewstain.diffusion.levels import Levels, Predict, karras_levels, level_denoiser, trained_levels, uniform_levels
from fewstain.diffusion.samplers import Denoise, Draw
from fewstain.errors import UserError

BoundSampler = Callable[[Denoise, Tensor, Sequence[float]], Tensor]


@dataclass(frozen=True)
class Method:
    """A sampler and its grid of noise levels.

    Steps are counted as evaluations of the network, so that methods compare: of the same number, Heun's grid gets half
    as many steps as Euler's. The last step, to level 0, takes one evaluation whatever the method. Evaluations that make
    no whole step are not spent.

    Attributes
    ----------
    sampler
        One of `fewstain.diffusion.samplers`.
    levels
        (trained levels, steps of the grid, first timestep) -> levels.
    evaluations
        Of the network in one step.
    random
        Whether it draws noise on its way, whatever its options.
    takes_eta
        Whether it draws as much noise as an option eta says.
    """

    sampler: Callable[..., Tensor]
    levels: Callable[[Levels, int, int], list[float]]
    evaluations: int = 1
    random: bool = False
    takes_eta: bool = False

    @property
    def fewest(self) -> int:
        """The least evaluations with which it is itself: one whole step, and the last one where that is another."""
        return 1 if self.evaluations == 1 else self.evaluations + 1

    def grid(self, scheduler: DDPMScheduler, steps: int, first: int | None = None) -> list[float]:
        """Levels to go through with `steps` evaluations, from timestep `first`, or the last one trained, to 0."""
        trained = trained_levels(scheduler)
        first = len(trained) - 1 if first is None else first
        return self.levels(trained, min((steps - 1) // self.evaluations, first) + 1, first)

    def cost(self, scheduler: DDPMScheduler, steps: int, first: int | None = None) -> int:
        """Return how many of `steps` evaluations it spends."""
        return (len(self.grid(scheduler, steps, first)) - 2) * self.evaluations + 1

    def bind(self, draw: Draw, eta: float = 0.0) -> BoundSampler:
        """Give it its noise; what is left is a function of (denoise, x, sigmas)."""
        options = {"draw": draw} if self.random else {"draw": draw, "eta": eta} if self.takes_eta else {}
        return functools.partial(self.sampler, **options)


# Uniform timesteps are DDPM's and DDIM's own; the others take Karras' levels, which end where the finest texture is.
# With as many evaluations that came nearer to real images, measured on a denoiser of fluorescence (preset cpu, 1500
# steps, 64 images): Fréchet distance of random features, Karras' levels and uniform timesteps, 10 evaluations: Euler
# 1400, 1441; DPM-Solver++ 1472, 1486; Heun 1410, 1750; 20 evaluations: 1435, 1486; 1397, 1502; 1465, 1520. Other real
# images got 18: the faults of a denoiser trained so shortly weigh far more than a sampler's.
METHODS = {
    "ddpm": Method(samplers.ddpm, uniform_levels, random=True),
    "ddim": Method(samplers.ddim, uniform_levels, takes_eta=True),
    "euler": Method(samplers.euler, karras_levels),
    "heun": Method(samplers.heun, karras_levels, evaluations=2),
    "rk4": Method(samplers.rk4, karras_levels, evaluations=4),
    "dpm++": Method(samplers.dpmpp_2m, karras_levels),
    "sde": Method(samplers.euler_maruyama, uniform_levels, random=True),
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
