"""Images out of noise, by diffusers' samplers."""

from __future__ import annotations

import numpy as np
import torch
from diffusers import DDIMScheduler, DDPMScheduler
from torch import Tensor

from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.progress import StepProgress
from fewstain.errors import UserError

SAMPLERS = {"ddpm": DDPMScheduler, "ddim": DDIMScheduler}


@torch.inference_mode()
def sample(
    denoiser: Denoiser,
    n: int,
    size: tuple[int, int],
    *,
    steps: int,
    seed: int,
    method: str = "ddim",
    batch_size: int = 16,
) -> Tensor:
    """Sample images from the denoiser's p(image).

    Parameters
    ----------
    denoiser
        On the device to compute on.
    n
        Number of images. Image i is a function of (seed, i), whatever n and the batch size.
    size
        (H, W), multiples of `denoiser.multiple`.
    steps
        Calls of the network for each image, at most the length of its noise schedule.
    seed
        Not negative.
    method
        "ddpm": ancestral sampling (Ho et al., NeurIPS 2020); "ddim": deterministic (Song et al., ICLR 2021, eta = 0).
    batch_size
        Images computed together.

    Returns
    -------
    Tensor
        (n, C, H, W) float32 in [-1, 1], on the CPU.

    Raises
    ------
    UserError
        Unknown method, too many steps, a size the network cannot take.
    """
    if method not in SAMPLERS:
        raise UserError(f"no sampler {method!r}; choose one of {', '.join(SAMPLERS)}")
    longest = int(denoiser.scheduler.config["num_train_timesteps"])
    if not 1 <= steps <= longest:
        raise UserError(f"{steps} sampling steps; this denoiser takes 1 to {longest}")
    if any(side < 1 or side % denoiser.multiple for side in size):
        raise UserError(f"images of {size[0]} x {size[1]} pixels; this denoiser needs multiples of {denoiser.multiple}")
    starts = range(0, n, batch_size)
    images = torch.empty((n, denoiser.image_channels, *size))
    with StepProgress("sampling", len(starts) * steps, images_per_step=batch_size / steps) as progress:
        for number, start in enumerate(starts):
            # Trailing spacing starts at pure noise, as the images do (Lin et al., WACV 2024, section 3.3).
            scheduler = SAMPLERS[method].from_config(denoiser.scheduler.config, timestep_spacing="trailing")
            scheduler.set_timesteps(steps)
            numbers = range(start, min(start + batch_size, n))
            images[start : start + batch_size] = _sample_batch(
                denoiser, scheduler, numbers, size, seed, progress, number * steps
            )
    return images


def _sample_batch(
    denoiser: Denoiser,
    scheduler: DDPMScheduler | DDIMScheduler,
    numbers: range,
    size: tuple[int, int],
    seed: int,
    progress: StepProgress,
    done: int,
) -> Tensor:
    """Sample the images of these numbers, (len(numbers), C, H, W)."""
    device = next(denoiser.parameters()).device
    generators = [_generator(seed, number) for number in numbers]
    shape = (denoiser.image_channels, *size)
    # Noise is drawn on the CPU, so that a seed means the same image on every device.
    images = torch.stack([torch.randn(shape, generator=generator) for generator in generators]).to(device)
    for step, timestep in enumerate(scheduler.timesteps):
        predicted = denoiser(images, timestep.expand(len(images)).to(device)).float()
        images = scheduler.step(predicted, int(timestep), images, generator=generators, return_dict=False)[0]
        if progress.due(done + step + 1):
            progress.show(done + step + 1)
    return images.clamp(-1, 1).cpu()


def _generator(seed: int, number: int) -> torch.Generator:
    return torch.Generator().manual_seed(int(np.random.SeedSequence((seed, number)).generate_state(1)[0]))
