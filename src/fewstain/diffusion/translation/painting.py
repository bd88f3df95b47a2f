"""Source images -> images of the target's kind."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from fewstain.diffusion.levels import Predict
from fewstain.diffusion.pool import reflect
from fewstain.diffusion.sampling import sample
from fewstain.diffusion.translation.network import Residual, Translator
from fewstain.diffusion.translation.scale import Scale, luminance
from fewstain.diffusion.translation.sources import GREY
from fewstain.errors import UserError

BATCH_PIXELS = 2**18  # painted together
# Samples take turns in seeing the source mirrored so: what the network gets wrong in one view differs from the others
VIEWS: tuple[tuple[int, ...], ...] = ((), (-1,), (-2,), (-2, -1))


@torch.inference_mode()
def translate(
    translator: Translator,
    residual: Residual,
    source: NDArray[np.float32],
    *,
    samples: int,
    steps: int,
    seed: int,
    method: str = "ddim",
) -> NDArray[np.float32]:
    """Paint several images that a source may stand for.

    Parameters
    ----------
    translator
        On the device to compute on.
    residual
        Of the same training.
    source
        (S, H, W) in [-1, 1], of any size; where the network wants more, it is continued by reflection.
    samples
        How many; sample i is a function of (seed, i) and of the source.
    steps, seed, method
        As of `sample`.

    Returns
    -------
    ndarray
        (samples, C, H, W) float32 in [-1, 1]. Their mean comes near the mean of all images that the source may stand
        for, which has the least squared error.

    Raises
    ------
    UserError
        Another number of channels than the translation was trained on; fewer than one sample; as of `sample`.
    """
    wanted = translator.source_channels - translator.image_channels
    if len(source) != wanted:
        raise UserError(f"a source of {len(source)} channels; this translation was trained on {wanted}")
    if samples < 1:
        raise UserError(f"{samples} samples; ask for 1 or more")
    height, width = source.shape[1:]
    seen = residual.seen(source)
    padded = torch.from_numpy(reflect_to_multiple(seen, translator.multiple)).to(translator.device)
    size = (padded.shape[1], padded.shape[2])
    views = [padded.flip(view) for view in VIEWS]
    painted = sample(
        translator,
        samples,
        size,
        steps=steps,
        seed=seed,
        method=method,
        batch_size=max(1, BATCH_PIXELS // (size[0] * size[1])),
        bind=lambda rows: with_source(
            translator, torch.stack([views[number % len(VIEWS)] for number in range(rows.start, rows.stop)])
        ),
    )
    upright = [each.flip(VIEWS[number % len(VIEWS)])[:, :height, :width] for number, each in enumerate(painted)]
    return np.stack([residual.target(seen, each.numpy()) for each in upright])


def with_source(translator: Translator, source: Tensor) -> Predict:
    """Bind what is seen of sources (1 or B, S + C, H, W): what is left is a function of noised images and timesteps."""

    def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
        seen = torch.cat([noisy, source.to(noisy.dtype).expand(len(noisy), -1, -1, -1)], dim=1)
        predicted: Tensor = translator(seen, timestep)
        return predicted

    return predict


def reflect_to_multiple(planes: NDArray[np.float32], multiple: int) -> NDArray[np.float32]:
    """Continue (C, H, W) planes below and on the right by reflection, up to multiples of a number of pixels.

    Planes however small are reflected, as often as needed, where `padding.pad_to_multiple` repeats their last pixels.
    """
    rows, columns = (reflect(np.arange(-(-side // multiple) * multiple), np.array(side)) for side in planes.shape[1:])
    return np.ascontiguousarray(planes[:, rows][:, :, columns])


def source_of(pixels: NDArray, name: str | Path, origin: str, scale: Scale) -> NDArray[np.float32]:
    """Make a source of an image that is to be translated.

    Parameters
    ----------
    pixels
        (H, W, C) raw intensities. Where grey is translated, RGB is made grey first.
    name
        Of the image, for messages.
    origin
        "grey", or what the sources were in training.
    scale
        Of the training's sources.

    Raises
    ------
    UserError
        Another number of channels, or another dtype, than in training.
    """
    if origin == GREY and pixels.shape[2] == 3:
        pixels = luminance(pixels)
    if (pixels.shape[2], str(pixels.dtype)) != (scale.channels, scale.dtype):
        also = ", or RGB of it," if origin == GREY else ""
        raise UserError(
            f"{name}: {pixels.shape[2]} channels of {pixels.dtype}, but the translation was trained on sources of "
            f"{scale.channels} of {scale.dtype}{also}; give such images, or train one from these"
        )
    return scale.apply(pixels)
