"""Where variation between images arises: in the noise they start from, and in that drawn on their way."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from fewstain.diffusion.draws import starting_noise, step_noise
from fewstain.diffusion.levels import level_denoiser
from fewstain.diffusion.methods import METHODS, check_method
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.progress import StepProgress, counted
from fewstain.diffusion.sampling import noise_shape, sample
from fewstain.errors import UserError


@torch.inference_mode()
def branch(
    denoiser: Denoiser,
    size: tuple[int, int],
    at: Sequence[int],
    branches: int,
    *,
    steps: int,
    seed: int,
    method: str = "ddpm",
    eta: float = 0.0,
) -> Tensor:
    """Follow one trajectory from noise to image, and end it several times over from some of its points.

    What the outcomes from a point have in common was decided before it (Ho et al., NeurIPS 2020, figure 7).

    Parameters
    ----------
    denoiser
        On the device to compute on.
    size
        (H, W), multiples of `denoiser.multiple`.
    at
        After how many steps to branch, each in [0, steps]: 0 is the noise, `steps` the image.
    branches
        Outcomes from each point, computed together; at least 2.
    steps, seed, method, eta
        As of `sample`; the trajectory is that of its image 0.

    Returns
    -------
    Tensor
        (len(at), branches, C, H, W) float32 in [-1, 1], on the CPU.

    Raises
    ------
    UserError
        A point that is not on the trajectory; a method without chance; else as `sample`.
    """
    check_method(denoiser.scheduler, method, steps, eta)
    shape, device = noise_shape(denoiser, size), denoiser.device
    chosen = METHODS[method]
    if not (chosen.random or chosen.takes_eta):
        able = ", ".join(name for name, each in METHODS.items() if each.random or each.takes_eta)
        raise UserError(f"{method} draws no noise on its way, so that nothing branches; choose one of {able}")
    sigmas = chosen.grid(denoiser.scheduler, steps)
    last = len(sigmas) - 1
    for point in at:
        if not 0 <= point <= last:
            raise UserError(f"branch at {point}; this trajectory has {last} steps: choose from 0 to {last}")
    if branches < 2:
        raise UserError(f"{branches} branch; it takes at least 2 to see a difference")
    down = chosen.bind(step_noise(seed, [0], shape, device), eta)
    trunk, reached = starting_noise(seed, [0], shape).to(device) * math.sqrt(1 + sigmas[0] ** 2), 0
    outcomes = torch.empty((len(at), branches, denoiser.image_channels, *size))
    work = max(at, default=0) + sum(last - point for point in at)
    with StepProgress("branching", work, images_per_step=0) as progress:
        denoise = level_denoiser(counted(denoiser, progress), denoiser.scheduler)
        for place in sorted(range(len(at)), key=lambda place: at[place]):
            point = at[place]
            trunk, reached = down(denoise, trunk, sigmas[reached : point + 1]), point
            # the noise of other images of this seed: what the trunk drew must not come again
            draw = step_noise(seed, range(1, 1 + branches), shape, device)
            twigs = trunk.expand(branches, *shape)
            outcomes[place] = denoiser.decode(chosen.bind(draw, eta)(denoise, twigs, sigmas[point:]))
    return outcomes


def interpolate(denoiser: Denoiser, start: Tensor, end: Tensor, n: int, *, steps: int, method: str = "ddim") -> Tensor:
    """Paint the images of a path from one noise to another.

    Parameters
    ----------
    denoiser
        On the device to compute on.
    start, end
        (C, H, W) standard normal noise.
    n
        Images on the path, both ends counted; at least 2.
    steps, method
        As of `sample`; a method without chance, or the images would differ by more than their places on the path.

    Returns
    -------
    Tensor
        (n, C, H, W) float32 in [-1, 1], on the CPU.

    Raises
    ------
    UserError
        A method with chance; else as `noise_path` and `sample`.
    """
    check_method(denoiser.scheduler, method, steps)
    if METHODS[method].random:
        able = ", ".join(name for name, each in METHODS.items() if not each.random)
        raise UserError(f"{method} draws noise on its way, which would hide the path; choose one of {able}")
    path = noise_path(start, end, n)
    size = (path.shape[2] * denoiser.factor, path.shape[3] * denoiser.factor)
    return sample(denoiser, n, size, steps=steps, seed=0, method=method, noise=path)


def outcome_variance(outcomes: Tensor) -> Tensor:
    """(points,) variance over the branches, mean over pixels, of (points, branches, C, H, W) outcomes."""
    return outcomes.double().var(dim=1).flatten(1).mean(1)


def noise_path(start: Tensor, end: Tensor, n: int) -> Tensor:
    """Lead from one noise to another along the great circle between them.

    Shoemake, SIGGRAPH 1985; for noise, Song et al., ICLR 2021 (DDIM), eq. 67. A straight line would lead through noise
    that is too faint: in many dimensions nearly all of a normal distribution lies close to a sphere.

    Parameters
    ----------
    start, end
        (C, H, W) standard normal noise.
    n
        Points on the path, both ends counted; at least 2.

    Returns
    -------
    Tensor
        (n, C, H, W), the first equal to `start` and the last to `end`.

    Raises
    ------
    UserError
        Noises of different shapes, or fewer points than two.
    """
    if start.shape != end.shape:
        raise UserError(f"noises of shapes {tuple(start.shape)} and {tuple(end.shape)}; a path joins two of one shape")
    if n < 2:
        raise UserError(f"a path of {n} images; it has two ends, so choose 2 or more")
    cosine = torch.sum(start.double() * end.double()) / (start.double().norm() * end.double().norm())
    angle = torch.arccos(cosine.clamp(-1, 1))
    shares = torch.linspace(0, 1, n, dtype=torch.float64)
    # where the noises point the same way the great circle is the straight line
    weights = torch.stack([1 - shares, shares])
    if float(angle.sin()) > 1e-6:
        weights = torch.sin(weights * angle) / torch.sin(angle)
    weights = weights.to(start)[..., None, None, None]
    path = weights[0] * start + weights[1] * end
    path[0], path[-1] = start, end
    return path
