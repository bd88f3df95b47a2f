"""SDEdit: a rough painting becomes an image of the denoiser's kind (Meng et al., ICLR 2022)."""

from __future__ import annotations

import torch
from torch import Tensor

from fewstain.diffusion.draws import starting_noise, step_noise
from fewstain.diffusion.forward import diffuse
from fewstain.diffusion.methods import METHODS, check_method, paint
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.padding import pad_to_multiple
from fewstain.diffusion.progress import StepProgress, counted
from fewstain.diffusion.sampling import check_size
from fewstain.errors import UserError
from fewstain.toolbox import SAMPLER, STEPS


@torch.inference_mode()
def edit(
    denoiser: Denoiser,
    paintings: Tensor,
    strength: float,
    *,
    steps: int = STEPS,
    seed: int,
    method: str = SAMPLER,
    eta: float = 0.0,
) -> Tensor:
    """Noise paintings up to a timestep and sample down from there: what is finer than that noise is painted anew.

    Parameters
    ----------
    denoiser
        On the device to compute on.
    paintings
        (n, C, H, W) in [-1, 1], of any size; the network sees them mirrored up to multiples of `denoiser.multiple`.
    strength
        Where to begin, as a share of the noise schedule: 0 returns the paintings, 1 forgets them.
    steps
        Evaluations of the network for each image, however strong the edit, but no more than timesteps on the way.
    seed, method, eta
        As of `sample`. Image i is a function of (seed, i) and of painting i.

    Returns
    -------
    Tensor
        (n, C, H, W) float32 in [-1, 1], on the CPU; at strength 0 the paintings, bit for bit.

    Raises
    ------
    UserError
        A strength outside [0, 1]; else as `sample`, and for paintings with another number of channels.
    """
    check_channels(denoiser, paintings)
    check_method(denoiser.scheduler, method, steps, eta)
    first = first_timestep(len(denoiser.scheduler.alphas_cumprod), strength)
    if first is None or not len(paintings):
        return paintings.clone()
    numbers, device = range(len(paintings)), denoiser.device
    clean = denoiser.encode(pad_to_multiple(paintings, denoiser.multiple).to(device))
    shape = tuple(clean.shape[1:])
    timesteps = torch.full((len(paintings),), first, device=device)
    noised = diffuse(denoiser.scheduler, clean, timesteps, starting_noise(seed, numbers, shape).to(device))
    cost = METHODS[method].cost(denoiser.scheduler, steps, first)
    with StepProgress("editing", cost, images_per_step=len(paintings) / cost) as progress:
        painted = paint(
            counted(denoiser, progress),
            denoiser.scheduler,
            noised,
            step_noise(seed, numbers, shape, device),
            method=method,
            steps=steps,
            eta=eta,
            first=first,
        )
    return denoiser.decode(painted)[..., : paintings.shape[2], : paintings.shape[3]].cpu()


def first_timestep(train_timesteps: int, strength: float) -> int | None:
    """Timestep that an edit of this strength noises to; None where it is so weak that it leaves all as it is.

    Raises
    ------
    UserError
        If the strength is not in [0, 1].
    """
    if not 0 <= strength <= 1:
        raise UserError(f"strength {strength}; choose one from 0, which changes nothing, to 1, which keeps nothing")
    noised = round(strength * train_timesteps)
    return noised - 1 if noised else None


def check_images(denoiser: Denoiser, images: Tensor) -> None:
    """Raise UserError where images, (n, C, H, W), are none that the denoiser can take."""
    check_channels(denoiser, images)
    check_size(denoiser, (images.shape[2], images.shape[3]))


def check_channels(denoiser: Denoiser, images: Tensor) -> None:
    """Raise UserError where images, (n, C, H, W), have other channels than the denoiser's."""
    if images.ndim != 4 or images.shape[1] != denoiser.image_channels:
        raise UserError(
            f"images of shape {tuple(images.shape)}; this denoiser takes (n, {denoiser.image_channels}, height, width)"
        )
