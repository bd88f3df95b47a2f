"""A linear code of blocks of pixels, in closed form: what a VAE is before its network learns to add to it."""

from __future__ import annotations

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

CODE_FILE = "code.safetensors"
RIDGE = 1e-6  # of the synthesis, as a share of the latents' variance of 1


class BlockCode(nn.Module):
    """Principal components of f x f blocks, and the linear map that gives a block back from the latents around it.

    Principal components have the least squared error of any linear code (Karhunen–Loève transform); the synthesis, a
    least-squares fit as well, also sees a block's neighbours, so that it continues edges from one block into the next.
    Nothing of it is trained.

    Parameters
    ----------
    analysis
        (L, C, f, f): weights of each latent.
    offset
        (L,): what is added to it.
    synthesis
        (C f², L, 3, 3): weights of each pixel of a block.
    ground
        (C f²,): what is added to it.
    """

    analysis: Tensor
    offset: Tensor
    synthesis: Tensor
    ground: Tensor

    def __init__(self, analysis: Tensor, offset: Tensor, synthesis: Tensor, ground: Tensor) -> None:
        super().__init__()
        for name, values in (("analysis", analysis), ("offset", offset), ("synthesis", synthesis), ("ground", ground)):
            self.register_buffer(name, values.float().contiguous())

    @property
    def factor(self) -> int:
        """Pixels to one latent, along one side."""
        return int(self.analysis.shape[-1])

    @property
    def image_channels(self) -> int:
        """Number of channels of the images."""
        return int(self.analysis.shape[1])

    def encode(self, images: Tensor) -> Tensor:
        """(B, L, H/f, W/f) float32 of (B, C, H, W) images: of variance 1, and mean 0, over those it was fitted to."""
        with torch.autocast(images.device.type, enabled=False):
            return functional.conv2d(images.float(), self.analysis, self.offset, stride=self.factor)

    def decode(self, latents: Tensor) -> Tensor:
        """(B, C, H, W) float32 images, not clipped, of (B, L, H/f, W/f) latents."""
        with torch.autocast(latents.device.type, enabled=False):
            around = functional.pad(latents.float(), (1, 1, 1, 1), mode="replicate")
            blocks = functional.conv2d(around, self.synthesis, self.ground)
        return functional.pixel_shuffle(blocks, self.factor)

    def save(self, folder: Path) -> None:
        """Write `folder`/code.safetensors."""
        # a network that is trained in bfloat16 lies in memory with its channels last
        save_file(
            {name: each.contiguous() for name, each in self.state_dict().items()}, folder / CODE_FILE, {"format": "pt"}
        )

    @classmethod
    def read(cls, folder: Path) -> BlockCode:
        """Read what `save` wrote."""
        return cls(**load_file(folder / CODE_FILE))


def fit_code(crops: Tensor, latent_channels: int, factor: int) -> BlockCode:
    """Fit a code to crops.

    Parameters
    ----------
    crops
        (N, C, S, S) in [-1, 1], S a multiple of `factor`.
    latent_channels
        L. Where a block has fewer pixels than that, the last latents are 0.
    factor
        f, side of a block.

    Returns
    -------
    BlockCode
        The same for the same crops; a component's largest weight is positive.
    """
    blocks = functional.pixel_unshuffle(crops.double().cpu(), factor)  # (N, C f², S/f, S/f)
    pixels = blocks.movedim(1, -1).flatten(0, 2)
    mean = pixels.mean(dim=0)
    values, vectors = torch.linalg.eigh((pixels - mean).T @ (pixels - mean) / len(pixels))
    kept = min(latent_channels, len(mean))
    vectors = vectors[:, -kept:].flip(1)
    vectors = vectors * vectors.gather(0, vectors.abs().argmax(dim=0)[None]).sign()
    deviations = values[-kept:].flip(0).clamp(min=0).sqrt()
    # what hardly varies at all is no more than rounding, and is not blown up
    weights = (vectors / deviations.clamp(min=1e-4)).T
    weights = functional.pad(weights, (0, 0, 0, latent_channels - kept))
    offset = -weights @ mean
    shape = (latent_channels, crops.shape[1], factor, factor)
    latents = torch.einsum("lp,nphw->nlhw", weights, blocks) + offset[:, None, None]
    around = functional.unfold(functional.pad(latents, (1, 1, 1, 1), mode="replicate"), 3).movedim(1, -1).flatten(0, 1)
    centre = pixels - mean
    gram = around.T @ around / len(around) + RIDGE * torch.eye(around.shape[1], dtype=torch.double)
    synthesis = torch.linalg.solve(gram, around.T @ centre / len(around)).T
    return BlockCode(weights.reshape(shape), offset, synthesis.reshape(len(mean), latent_channels, 3, 3), mean)
