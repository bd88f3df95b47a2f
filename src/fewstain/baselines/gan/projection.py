"""Real crops projected into a generator: the latents that paint what is most like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor
from torch.func import functional_call
from torch.nn import functional

from fewstain.baselines.gan.training import Gan
from fewstain.diffusion.progress import StepProgress
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.targets import Targets

STEPS = 150
RATE = 0.05
STRAY = 0.01  # weight of how far latents lie from the mean one: far ones paint what no image of the pool shows
LIKENESS = 0.1  # weight of the discriminator's activations beside the pixels: edges and texture rather than means
BATCH = 16


def project(gan: Gan, images: Tensor, noise_seeds: Sequence[int], steps: int = STEPS, seed: int = 0) -> Tensor:
    """Find latents by the encoder, and improve them by descent (as in Image2StyleGAN++ and DatasetGAN's own encoder).

    Parameters
    ----------
    gan
        Trained; its weights stay as they are.
    images
        (B, C, S, S) in [-1, 1], S the side of the generator's images.
    noise_seeds
        Of the noise that each image is painted with, see `Generator.noise_of`: the latents hold with no other.
    steps
        Of Adam, on pixels and on the discriminator's activations.
    seed
        Of the latents whose mean others are held to.

    Returns
    -------
    Tensor
        (B, layers, width).
    """
    device = gan.augmentation.device
    with torch.no_grad():
        mean = gan.draw(256, torch.Generator().manual_seed(seed)).mean(0)
    found = []
    batches = images.split(BATCH)
    with StepProgress("projecting", len(batches), images_per_step=BATCH) as progress:
        for number, batch in enumerate(batches, start=1):
            seeds = noise_seeds[(number - 1) * BATCH : number * BATCH]
            found.append(_descend(gan, batch.to(device), gan.generator.noise_of(seeds), mean, steps))
            progress.show(number)
    return torch.cat(found)


def cut_crops(window: LabeledWindow, side: int) -> list[LabeledWindow]:
    """Cut a labeled window into crops of the generator's side, the last ones moved back into it.

    Of a window that is smaller, the image is continued by reflection, and only its own pixels are labeled.
    """
    rows, columns = window.inside
    height, width = window.labels.shape
    image = window.image[:, rows, columns]
    below, right = max(0, side - height), max(0, side - width)
    if below or right:
        padded = np.pad(image.numpy(), ((0, 0), (0, below), (0, right)), mode="symmetric")
        image = torch.from_numpy(np.ascontiguousarray(padded))
    crops = []
    for top in _starts(height, side):
        for left in _starts(width, side):
            part = (slice(top, top + side), slice(left, left + side))
            targets = window.targets
            crops.append(
                replace(
                    window,
                    name=f"{window.name}+{top}+{left}",
                    image=image[:, part[0], part[1]],
                    top=0,
                    left=0,
                    labels=window.labels[part],
                    targets=Targets(targets.classes[part], targets.distance[part], targets.distance_known[part]),
                    source_rows=window.source_rows[part],
                    source_columns=window.source_columns[part],
                )
            )
    return crops


@torch.enable_grad()
def _descend(gan: Gan, images: Tensor, noise: list[Tensor], mean: Tensor, steps: int) -> Tensor:
    generator, trunk = _constants(gan.generator), _constants(gan.discriminator.trunk)
    with torch.no_grad():
        latents = gan.encoder(images)
        wanted: Sequence[Tensor] = gan.discriminator.trunk(images)
    latents.requires_grad_(True)
    optimiser = torch.optim.Adam([latents], lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, max(steps, 1))
    for _ in range(steps):
        painted, _ = functional_call(gan.generator, generator, (latents, noise))
        seen = functional_call(gan.discriminator.trunk, trunk, (painted,))
        likeness = torch.stack([functional.l1_loss(a, b) for a, b in zip(seen, wanted, strict=True)]).mean()
        # summed over images: each is projected by itself, however many go together
        loss = functional.mse_loss(painted, images) + LIKENESS * likeness + STRAY * (latents - mean).square().mean()
        optimiser.zero_grad()
        (loss * len(images)).backward()
        optimiser.step()
        schedule.step()
    return latents.detach()


def _constants(network: torch.nn.Module) -> dict[str, Tensor]:
    return {name: each.detach() for name, each in network.named_parameters()}


def _starts(length: int, side: int) -> list[int]:
    last = max(0, length - side)
    return [*range(0, last, side), last]
