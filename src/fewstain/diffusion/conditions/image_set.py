"""Conditions in images: a vision transformer over each of a handful of crops, whose patches become tokens."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

PATCH = 16  # pixels; four convolutions of stride 2
HEADS = 4
LAYERS = 3


class SetEncoder(nn.Module):
    """A vision transformer (Dosovitskiy et al., ICLR 2021) that gives one token for each patch of each image.

    Patches are embedded by convolutions, with which such networks learn faster than with one linear layer (Xiao et
    al., NeurIPS 2021, "Early convolutions help transformers see better"). Each image is encoded by itself, so that a
    set may have any number of them, in any order. MONAI's ViT needs a package more; the layers here are torch's.

    Parameters
    ----------
    image_channels
        C of the images.
    side
        Their height and width, a multiple of `PATCH`.
    width
        Of a token; a multiple of 8.
    """

    kind = "images"

    def __init__(self, image_channels: int, side: int, width: int) -> None:
        super().__init__()
        self.image_channels, self.side, self.width = image_channels, side, width
        self.patches = (side // PATCH) ** 2
        widths = (image_channels, width // 4, width // 2, width, width)
        stem: list[nn.Module] = []
        for before, after in pairwise(widths):
            layer = nn.Conv2d(before, after, 3, stride=2, padding=1)
            # torch's own weights let a picture fade from layer to layer, until all tokens are alike and nothing is
            # learned from them for hundreds of steps; these keep its variance (He et al., ICCV 2015)
            nn.init.kaiming_normal_(layer.weight)
            nn.init.zeros_(layer.bias)  # type: ignore[arg-type]
            stem += [layer, nn.GELU()]
        self.stem = nn.Sequential(*stem[:-1])
        self.positions = nn.Parameter(0.02 * torch.randn(1, self.patches, width))
        block = nn.TransformerEncoderLayer(
            width, HEADS, 2 * width, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
        )
        self.transformer = nn.TransformerEncoder(block, LAYERS, nn.LayerNorm(width), enable_nested_tensor=False)
        self.empty = nn.Parameter(torch.randn(1, self.patches, width))  # as large as the transformer's own answers

    def config(self) -> dict[str, Any]:
        """JSON-ready arguments to make it again."""
        return {"image_channels": self.image_channels, "side": self.side, "width": self.width}

    def forward(self, images: Tensor) -> Tensor:
        """(B, S, C, side, side) sets of images in [-1, 1] -> (B, S patches, width) tokens."""
        patches = self.stem(images.flatten(0, 1)).flatten(2).transpose(1, 2)
        tokens: Tensor = self.transformer(patches + self.positions)
        return tokens.reshape(len(images), -1, self.width)

    def nothing(self) -> Tensor:
        """(1, patches, width) tokens of no condition; the same attention results where they come several times."""
        return self.empty
