"""Images back to the noise that DDIM paints them from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from fewstain.diffusion.editing import check_images
from fewstain.diffusion.levels import level_denoiser
from fewstain.diffusion.methods import METHODS, check_method
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.progress import StepProgress, counted
from fewstain.diffusion.samplers import Denoise
from fewstain.errors import UserError


@torch.inference_mode()
def invert(denoiser: Denoiser, images: Tensor, *, steps: int, rounds: int = 3) -> Tensor:
    """Find the noise from which deterministic DDIM of as many steps paints these images.

    Parameters
    ----------
    denoiser
        On the device to compute on.
    images
        (n, C, H, W) in [-1, 1]; H and W multiples of `denoiser.multiple`.
    steps
        Of DDIM; `sample` needs the same number to return the images.
    rounds
        Evaluations of the network in each step; see `ddim_inverse`.

    Returns
    -------
    Tensor
        (n, *noise_shape) float32 on the CPU; what `sample` takes as `noise`.

    Raises
    ------
    UserError
        Images that the denoiser cannot take; steps or rounds out of range.
    """
    check_images(denoiser, images)
    check_method(denoiser.scheduler, "ddim", steps)
    if rounds < 1:
        raise UserError(f"{rounds} rounds; each step of an inversion takes at least 1")
    if not len(images):
        return images.clone()
    sigmas = METHODS["ddim"].grid(denoiser.scheduler, steps)[::-1]
    with StepProgress("inverting", steps * rounds, images_per_step=len(images) / (steps * rounds)) as progress:
        denoise = level_denoiser(counted(denoiser, progress), denoiser.scheduler)
        noised = ddim_inverse(denoise, denoiser.encode(images.to(denoiser.device)), sigmas, rounds)
    return (noised / math.sqrt(1 + sigmas[-1] ** 2)).cpu()


def ddim_inverse(denoise: Denoise, x: Tensor, sigmas: Sequence[float], rounds: int) -> Tensor:
    """Run DDIM upwards (Song et al., ICLR 2021, section 4.3), each step solved for where its own step down would start.

    The step down from y at level s' to x at level s is x = y + (s - s') epsilon(y, s'). Its epsilon is first taken for
    that of the step before, then computed at the y this leads to, as many times as there are rounds: a fixed-point
    iteration (Pan et al., ICCV 2023).

    Parameters
    ----------
    denoise
        D(x, sigma).
    x
        (B, ...) images at level sigmas[0].
    sigmas
        Levels, rising; the first may be 0.
    rounds
        At least 1.

    Returns
    -------
    Tensor
        (B, ...) images at level sigmas[-1].
    """
    epsilon = torch.zeros_like(x)
    for sigma, after in pairwise(sigmas):
        for _ in range(rounds):
            reached = x + (after - sigma) * epsilon
            epsilon = (reached - denoise(reached, after)) / after
        x = x + (after - sigma) * epsilon
    return x
