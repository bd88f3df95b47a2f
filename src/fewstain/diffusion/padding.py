"""Images of any size for networks that need multiples of some pixels."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional


def pad_to_multiple(images: Tensor, multiple: int) -> Tensor:
    """Mirror (B, C, H, W) images at the lower and right edge until H and W are multiples of `multiple`."""
    height, width = images.shape[-2:]
    below, right = -height % multiple, -width % multiple
    mode = "reflect" if below < height and right < width else "replicate"
    return functional.pad(images, (0, right, 0, below), mode=mode) if below or right else images
