"""A masked autoencoder as feature extractor: He et al., CVPR 2022, with MONAI's vision transformer."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from monai.networks.nets import MaskedAutoEncoderViT
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from fewstain.baselines.presets import MaeSettings
from fewstain.diffusion.seeding import seeded
from fewstain.errors import UserError

CONFIG, WEIGHTS = "mae.json", "mae.safetensors"
STRIDE_SHARE = 0.75  # of a window's side, from one window to the next
LEAST_VARIANCE = 1e-6


class Mae(nn.Module):
    """MONAI's masked autoencoder for images of one size, and what is needed to load it again.

    Parameters
    ----------
    settings
        Of the network.
    image_channels
        Of the images.
    """

    def __init__(self, settings: MaeSettings, image_channels: int) -> None:
        super().__init__()
        self.settings, self.image_channels = settings, image_channels
        self.network = MaskedAutoEncoderViT(
            in_channels=image_channels,
            img_size=settings.crop,
            patch_size=settings.patch,
            hidden_size=settings.hidden,
            mlp_dim=4 * settings.hidden,
            num_layers=settings.layers,
            num_heads=settings.heads,
            masking_ratio=settings.masked,
            decoder_hidden_size=settings.decoder_hidden,
            decoder_mlp_dim=4 * settings.decoder_hidden,
            decoder_num_layers=settings.decoder_layers,
            decoder_num_heads=max(1, settings.decoder_hidden // 16) if settings.decoder_hidden % 16 == 0 else 1,
            spatial_dims=2,
        )
        # MONAI writes what this layer gives in among float32 tokens, which it can't where autocast has made it bfloat16
        self.network.decoder_embed.register_forward_hook(_as_float32)
        for name, each in self.network.named_parameters():
            if "cross_attn" in name:  # MONAI makes it although nothing attends across
                each.requires_grad_(False)

    def loss(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Mean squared error of the patches left out, each standardised (He et al., section 4, "w/ norm").

        Parameters
        ----------
        images
            (B, C, S, S) in [-1, 1], S the side it was made for.
        generator
            Draws which patches are left out.
        """
        with seeded(int(torch.randint(2**62, (1,), generator=generator))):  # MONAI draws from the global generator
            predicted, left_out = self.network(images)
        target = patches(images, self.settings.patch)
        variance, mean = torch.var_mean(target, dim=-1, keepdim=True)
        target = (target - mean) / (variance + LEAST_VARIANCE).sqrt()
        error = (predicted.float() - target).square().mean(-1)
        return (error * left_out).sum() / left_out.sum()

    def tokens(self, images: Tensor) -> list[Tensor]:
        """Tokens of every layer for whole windows, nothing left out.

        Parameters
        ----------
        images
            (B, C, S, S).

        Returns
        -------
        list of Tensor
            (B, hidden, S / patch, S / patch) of each layer; the last one's are normalised as the decoder sees them.
        """
        network, cells = self.network, self.settings.crop // self.settings.patch
        tokens = network.patch_embedding(images)
        tokens = torch.cat([network.cls_token.expand(len(tokens), -1, -1), tokens], dim=1)
        *layers, norm = network.blocks
        found = []
        for layer in layers:
            tokens = layer(tokens)
            found.append(tokens)
        found[-1] = norm(tokens)
        return [each[:, 1:].mT.unflatten(2, (cells, cells)) for each in found]

    def save(self, folder: Path) -> None:
        """Write mae.safetensors and mae.json."""
        save_file(
            {name: each.detach().cpu().contiguous() for name, each in self.state_dict().items()}, folder / WEIGHTS
        )
        facts = {"settings": self.settings.model_dump(mode="json"), "image_channels": self.image_channels}
        (folder / CONFIG).write_text(json.dumps(facts) + "\n", encoding="utf-8")


def _as_float32(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
    return output.float()


def load_mae(folder: Path) -> Mae:
    """Read what `Mae.save` wrote; UserError where it is missing or damaged."""
    try:
        facts = json.loads((folder / CONFIG).read_text(encoding="utf-8"))
        mae = Mae(MaeSettings(**facts["settings"]), facts["image_channels"])
        mae.load_state_dict(load_file(folder / WEIGHTS))
    except Exception as fault:  # json, pydantic, safetensors and torch each raise their own kinds
        raise UserError(
            f"{folder}: holds no masked autoencoder ({fault}); delete the folder and train again"
        ) from fault
    return mae.eval()


def patches(images: Tensor, side: int) -> Tensor:
    """Cut (B, C, H, W) images into (B, H/side * W/side, side * side * C) patches, row by row."""
    return functional.unfold(images, side, stride=side).mT


class MaeFeatures:
    """Tokens of every layer, from windows slid over the image; where windows overlap they are blended.

    A transformer knows positions of the windows it was trained on only, so that larger images are no input to it.

    Parameters
    ----------
    mae
        Trained.
    batch
        Windows that go through together.
    """

    def __init__(self, mae: Mae, batch: int = 16) -> None:
        self.mae, self.batch = mae.eval(), batch
        self.multiple = mae.settings.patch
        self.names = tuple(f"layer{number + 1}" for number in range(mae.settings.layers))

    @torch.inference_mode()
    def maps(self, images: Tensor, origin: tuple[int, int] = (0, 0), draw: int = 0) -> list[Tensor]:
        """See `FeatureExtractor.maps`; `origin` and `draw` change nothing."""
        patch, side = self.mae.settings.patch, self.mae.settings.crop
        images = images.to(next(self.mae.parameters()).device)
        height, width = images.shape[2:]
        below, right = max(0, side - height), max(0, side - width)
        mode = "reflect" if below < height and right < width else "replicate"
        padded = functional.pad(images, (0, right, 0, below), mode=mode)
        corners = [(top, left) for top in starts(height, side, patch) for left in starts(width, side, patch)]
        cells = side // patch
        weight = _weight(cells).to(padded)
        shape = (padded.shape[2] // patch, padded.shape[3] // patch)
        totals = [padded.new_zeros(len(images), self.mae.settings.hidden, *shape) for _ in self.names]
        weights = padded.new_zeros(shape)
        for first in range(0, len(corners), self.batch):
            some = corners[first : first + self.batch]
            windows = torch.cat([padded[:, :, y : y + side, x : x + side] for y, x in some])
            for total, found in zip(totals, self.mae.tokens(windows), strict=True):
                for (y, x), tokens in zip(some, found.split(len(images)), strict=True):
                    total[:, :, y // patch : y // patch + cells, x // patch : x // patch + cells] += tokens * weight
            for y, x in some:
                weights[y // patch : y // patch + cells, x // patch : x // patch + cells] += weight
        return [(total / weights)[:, :, : height // patch, : width // patch] for total in totals]


def starts(length: int, side: int, patch: int) -> list[int]:
    """First pixels of windows that cover an axis, multiples of the patch; the last one ends where the axis ends."""
    last = max(0, length - side)
    step = max(patch, int(side * STRIDE_SHARE) // patch * patch)
    return [*range(0, last, step), last]


def _weight(cells: int) -> Tensor:
    """(cells, cells) trust in a window's tokens: less at its edges, where they have seen less around them."""
    position = torch.arange(cells) + 0.5
    ramp = torch.minimum(position, cells - position)
    ramp = (ramp / (cells / 4)).clamp(max=1)
    return torch.outer(ramp, ramp)
