"""The denoiser: a diffusers U-Net behind a pixel-unshuffle stem, and the folder it is kept in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from fewstain.diffusion.pretrained import WEIGHTS as WEIGHTS
from fewstain.diffusion.pretrained import damage_told, load_pretrained, save_pretrained
from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings

NORM_GROUPS = 8
HEAD_WIDTH = 8  # channels of each head of an attention block
VAE_FOLDER = "vae"  # beside a denoiser of latents, see `fewstain.diffusion.latent`
HEADS = 4  # of each attention block
ENCODER_CONFIG = "encoder.json"  # beside a denoiser that takes conditions, see `fewstain.diffusion.conditions`

Residuals = tuple[Sequence[Tensor], Tensor]


class Denoiser(nn.Module):
    """Predicts the noise (or the velocity) in a noised image.

    The U-Net is a UNet2DConditionModel even though nothing conditions it: only that class takes the residuals of a
    ControlNet. With `unshuffle` k > 1 it works on k x k blocks of pixels as channels (Shi et al., CVPR 2016), which
    gives about k² times the pixels per second.

    Parameters
    ----------
    unet
        Network on (B, C k², H/k, W/k).
    scheduler
        Its betas and kind of prediction.
    unshuffle
        Side k of the block of pixels that becomes k² channels.
    """

    def __init__(self, unet: UNet2DConditionModel, scheduler: DDPMScheduler, unshuffle: int) -> None:
        super().__init__()
        self.unet = unet
        self.scheduler = scheduler
        self.unshuffle = unshuffle

    @property
    def image_channels(self) -> int:
        """Number of channels of the images the denoiser was made for."""
        return int(self.unet.config["out_channels"]) // self.unshuffle**2

    @property
    def source_channels(self) -> int:
        """Number of channels of a source image that it wants beside a noised one; 0 for a denoiser of images alone."""
        return int(self.unet.config["in_channels"]) // self.unshuffle**2 - self.image_channels

    @property
    def noise_channels(self) -> int:
        """Number of channels of the noise that images start from, and of what is denoised."""
        return self.image_channels

    @property
    def factor(self) -> int:
        """Pixels of an image to one place of its noise, along one side."""
        return 1

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    @property
    def multiple(self) -> int:
        """Height and width of an input must be multiples of this many pixels."""
        levels = len(self.unet.config["block_out_channels"])
        return int(self.unshuffle * 2 ** (levels - 1))

    def forward(
        self, noisy: Tensor, timestep: Tensor, tokens: Tensor | None = None, residuals: Residuals | None = None
    ) -> Tensor:
        """Predict what `scheduler.config.prediction_type` names.

        Parameters
        ----------
        noisy
            (B, C + S, H, W) noised images, and after them the S channels of their sources, where it wants some; H and
            W multiples of `multiple`.
        timestep
            (B,) int64 in [0, T), as in training, or float for the noise levels between.
        tokens
            (B, L, D) tokens of the condition, for a network with cross-attention.
        residuals
            What a ControlNet adds to the U-Net's skip connections, and to its middle.

        Returns
        -------
        Tensor
            (B, C, H, W) predicted epsilon or velocity.
        """
        blocks = functional.pixel_unshuffle(noisy, self.unshuffle)
        pooled = None if tokens is None else tokens.mean(dim=1)
        down, middle = residuals if residuals is not None else (None, None)
        predicted = self.unet(
            blocks,
            timestep,
            tokens,
            class_labels=pooled,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=False,
        )[0]
        return functional.pixel_shuffle(predicted, self.unshuffle)

    def encode(self, images: Tensor) -> Tensor:
        """Turn (B, C, H, W) images in [-1, 1] into what is noised and denoised: of pixels, the images themselves."""
        return images

    def decode(self, denoised: Tensor) -> Tensor:
        """Turn what was denoised into (B, C, H, W) images in [-1, 1]."""
        return denoised.clamp(-1, 1)

    def save(self, folder: Path) -> None:
        """Write `folder`/unet and `folder`/scheduler in diffusers' layout, safetensors only, and `folder`/stem.json."""
        save_pretrained(self.unet, folder / "unet")
        self.scheduler.save_pretrained(folder / "scheduler")
        (folder / "stem.json").write_text(json.dumps({"unshuffle": self.unshuffle}) + "\n")


def build_denoiser(
    settings: DiffusionSettings, image_channels: int, *, source_channels: int = 0, token_width: int | None = None
) -> Denoiser:
    """Make an untrained denoiser for images of `image_channels` channels, with sources of `source_channels`.

    The levels that `settings.attention` names attend to themselves. With a `token_width` D these levels, or where it
    names none all but the finest, attend to tokens (B, L, D) of a condition as well (Rombach et al., CVPR 2022,
    section 3.3), and the tokens' mean is added to the embedding of the timestep (as in GLIDE: Nichol et al., ICML
    2022), which every layer sees.
    """
    levels = len(settings.channels)
    attention = settings.attention
    kind, middle = "Attn", "UNetMidBlock2D"
    conditioned: dict[str, Any] = {"attention_head_dim": HEAD_WIDTH}
    if token_width is not None:
        attention = attention or tuple(range(1, levels)) or (0,)
        kind, middle = "CrossAttn", "UNetMidBlock2DCrossAttn"
        conditioned = {
            "cross_attention_dim": token_width,
            "attention_head_dim": HEADS,  # diffusers takes it for the number of heads
            "class_embed_type": "projection",
            "projection_class_embeddings_input_dim": token_width,
        }
    kinds = [kind if level in attention else "" for level in range(levels)]
    unet = UNet2DConditionModel(
        in_channels=(image_channels + source_channels) * settings.unshuffle**2,
        out_channels=image_channels * settings.unshuffle**2,
        down_block_types=tuple(f"{each}DownBlock2D" for each in kinds),
        mid_block_type=middle,
        up_block_types=tuple(f"{each}UpBlock2D" for each in reversed(kinds)),
        block_out_channels=settings.channels,
        layers_per_block=settings.layers_per_block,
        norm_num_groups=NORM_GROUPS,
        **conditioned,
    )
    scheduler = DDPMScheduler(
        num_train_timesteps=settings.train_timesteps,
        beta_schedule={"linear": "linear", "cosine": "squaredcos_cap_v2"}[settings.betas],
        prediction_type=settings.prediction,
        clip_sample=True,
    )
    return Denoiser(unet, scheduler, settings.unshuffle)


def load_denoiser(folder: Path) -> Denoiser:
    """Read a denoiser that `Denoiser.save` wrote.

    Raises
    ------
    UserError
        If the folder holds no denoiser, or one of latents, with conditions or with sources, or its weights are damaged
        or belong to another network.
    """
    if is_latent(folder):
        raise UserError(
            f"{folder}: holds a denoiser of latents, which takes no pixels as they are; for this, give one that "
            "train-diffusion made without --vae"
        )
    if (folder / ENCODER_CONFIG).is_file():
        raise UserError(
            f"{folder}: holds a denoiser that takes conditions, for `fewstain sample`, edit, invert, branch and "
            "interpolate only; for this, give one that train-diffusion made"
        )
    denoiser = read_denoiser(folder)
    if denoiser.source_channels:
        raise UserError(
            f"{folder}: holds a translation, which paints nothing without a source image, for `fewstain translate` "
            "only; give a folder that train-diffusion made"
        )
    return denoiser


def is_latent(folder: Path) -> bool:
    """Whether the folder holds a denoiser that works in the latents of a VAE."""
    return (folder / VAE_FOLDER).is_dir() and (folder / "unet").is_dir()


def read_denoiser(folder: Path) -> Denoiser:
    """Read a denoiser as `load_denoiser` does, also one of another kind: no VAE, no encoder, but with its sources."""
    for part in (
        "stem.json",
        "unet/config.json",
        f"unet/{WEIGHTS}",
        "scheduler/scheduler_config.json",
    ):
        if not (folder / part).is_file():
            raise UserError(f"{folder / part}: no such file, so {folder} holds no denoiser; run train-diffusion first")
    with damage_told(folder, "the denoiser's"):
        unet = load_pretrained(UNet2DConditionModel, folder / "unet")
        scheduler = DDPMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
        unshuffle = int(json.loads((folder / "stem.json").read_text())["unshuffle"])
    return Denoiser(unet, scheduler, unshuffle).eval()
