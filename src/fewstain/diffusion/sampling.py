"""Images out of noise: a denoiser's p(image) drawn from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor

from fewstain.diffusion.draws import starting_noise, step_noise
from fewstain.diffusion.levels import Predict
from fewstain.diffusion.methods import METHODS, check_method, paint
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.progress import StepProgress, counted
from fewstain.errors import UserError
from fewstain.toolbox import SAMPLER, STEPS


@torch.inference_mode()
def sample(
    denoiser: Denoiser,
    n: int,
    size: tuple[int, int],
    *,
    steps: int = STEPS,
    seed: int,
    method: str = SAMPLER,
    eta: float = 0.0,
    noise: Tensor | None = None,
    batch_size: int = 16,
    bind: Callable[[slice], Predict] | None = None,
) -> Tensor:
    """Sample images from the denoiser's p(image).

    Parameters
    ----------
    denoiser
        On the device to compute on.
    n
        Number of images. Image i is a function of (seed, i), whatever n and the batch size but for rounding.
    size
        (H, W), multiples of `denoiser.multiple`.
    steps
        Evaluations of the network for each image; see `Method`.
    seed
        Not negative.
    method
        A key of `METHODS`.
    eta
        Of method "ddim": the share of DDPM's noise drawn in each step, from 0 (deterministic) to 1 (DDPM).
    noise
        (n, *noise_shape(denoiser, size)) standard normal noise to start from, in place of the seed's. What is drawn on
        the way is the seed's all the same.
    batch_size
        Images computed together.
    bind
        Which of the images -> the network with the conditions of those bound; None for the denoiser as it is.

    Returns
    -------
    Tensor
        (n, C, H, W) float32 in [-1, 1], on the CPU.

    Raises
    ------
    UserError
        Unknown method; steps or eta that it cannot take; a size the network cannot take; noise of another shape.
    """
    check_method(denoiser.scheduler, method, steps, eta)
    shape = noise_shape(denoiser, size)
    if noise is not None and noise.shape != (n, *shape):
        raise UserError(f"noise of shape {tuple(noise.shape)}; {n} images of this kind start from shape {(n, *shape)}")
    batches = [range(start, min(start + batch_size, n)) for start in range(0, n, batch_size)]
    images = torch.empty((n, denoiser.image_channels, *size))
    cost = METHODS[method].cost(denoiser.scheduler, steps)
    with StepProgress("sampling", len(batches) * cost, images_per_step=min(batch_size, n) / cost) as progress:
        network: Predict = denoiser
        predict = counted(lambda noisy, timesteps: network(noisy, timesteps), progress)
        for numbers in batches:
            rows = slice(numbers.start, numbers.stop)
            network = bind(rows) if bind is not None else denoiser
            begun = starting_noise(seed, numbers, shape) if noise is None else noise[rows]
            draw = step_noise(seed, numbers, shape, denoiser.device)
            painted = paint(
                predict, denoiser.scheduler, begun.to(denoiser.device), draw, method=method, steps=steps, eta=eta
            )
            images[rows] = denoiser.decode(painted)
    return images


def noise_shape(denoiser: Denoiser, size: tuple[int, int]) -> tuple[int, int, int]:
    """Shape of the noise that an image of (H, W) starts from; UserError where the network cannot take that size."""
    check_size(denoiser, size)
    return denoiser.noise_channels, size[0] // denoiser.factor, size[1] // denoiser.factor


def check_size(denoiser: Denoiser, size: tuple[int, int], path: Path | None = None) -> None:
    """Raise UserError where the network cannot take images of (H, W), such as that in a file."""
    multiple = denoiser.multiple
    if any(side < 1 or side % multiple for side in size):
        near = " x ".join(str(max(multiple, side // multiple * multiple)) for side in size)
        whose, remedy = ("images of", "") if path is None else (f"{path}:", "; cut or pad it")
        raise UserError(
            f"{whose} {size[0]} x {size[1]} pixels; this denoiser needs multiples of {multiple}, as {near}{remedy}"
        )
