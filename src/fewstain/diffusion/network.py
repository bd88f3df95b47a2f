"""The denoiser: a diffusers U-Net behind a pixel-unshuffle stem, and the folder it is kept in."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import DDPMScheduler, UNet2DConditionModel
from torch import Tensor, nn
from torch.nn import functional

from fewstain.errors import UserError
from fewstain.settings import DiffusionSettings

NORM_GROUPS = 8
HEAD_WIDTH = 8  # channels of each head of an attention block
WEIGHTS = "diffusion_pytorch_model.safetensors"
VAE_FOLDER = "vae"  # beside a denoiser of latents, see `fewstain.diffusion.latent`


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
        return int(self.unet.config["in_channels"]) // self.unshuffle**2

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

    def forward(self, noisy: Tensor, timestep: Tensor) -> Tensor:
        """Predict what `scheduler.config.prediction_type` names.

        Parameters
        ----------
        noisy
            (B, C, H, W) noised images; H and W multiples of `multiple`.
        timestep
            (B,) int64 in [0, T), as in training, or float for the noise levels between.

        Returns
        -------
        Tensor
            (B, C, H, W) predicted epsilon or velocity.
        """
        blocks = functional.pixel_unshuffle(noisy, self.unshuffle)
        predicted = self.unet(blocks, timestep, encoder_hidden_states=None, return_dict=False)[0]
        return functional.pixel_shuffle(predicted, self.unshuffle)

    def encode(self, images: Tensor) -> Tensor:
        """Turn (B, C, H, W) images in [-1, 1] into what is noised and denoised: of pixels, the images themselves."""
        return images

    def decode(self, denoised: Tensor) -> Tensor:
        """Turn what was denoised into (B, C, H, W) images in [-1, 1]."""
        return denoised.clamp(-1, 1)

    def save(self, folder: Path) -> None:
        """Write `folder`/unet and `folder`/scheduler in diffusers' layout, safetensors only, and `folder`/stem.json."""
        self.unet.save_pretrained(folder / "unet", safe_serialization=True)
        # safetensors makes files only their owner can read; the results of a lab are everybody's
        shutil.copymode(folder / "unet" / "config.json", folder / "unet" / WEIGHTS)
        self.scheduler.save_pretrained(folder / "scheduler")
        (folder / "stem.json").write_text(json.dumps({"unshuffle": self.unshuffle}) + "\n")


def build_denoiser(settings: DiffusionSettings, image_channels: int) -> Denoiser:
    """Make an untrained denoiser for images of `image_channels` channels."""
    attending = [level in settings.attention for level in range(len(settings.channels))]
    unet = UNet2DConditionModel(
        in_channels=image_channels * settings.unshuffle**2,
        out_channels=image_channels * settings.unshuffle**2,
        down_block_types=tuple("AttnDownBlock2D" if here else "DownBlock2D" for here in attending),
        mid_block_type="UNetMidBlock2D",
        up_block_types=tuple("AttnUpBlock2D" if here else "UpBlock2D" for here in reversed(attending)),
        block_out_channels=settings.channels,
        layers_per_block=settings.layers_per_block,
        norm_num_groups=NORM_GROUPS,
        attention_head_dim=HEAD_WIDTH,
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
        If the folder holds no denoiser, or one of latents, or its weights are damaged or belong to another network.
    """
    if is_latent(folder):
        raise UserError(
            f"{folder}: holds a denoiser of latents, which takes no pixels as they are; for this, give one that "
            "train-diffusion made without --vae"
        )
    return read_denoiser(folder)


def is_latent(folder: Path) -> bool:
    """Whether the folder holds a denoiser that works in the latents of a VAE."""
    return (folder / VAE_FOLDER).is_dir() and (folder / "unet").is_dir()


def read_denoiser(folder: Path) -> Denoiser:
    """Read a denoiser as `load_denoiser` does, also the part of one of latents that is no VAE."""
    for part in (
        "stem.json",
        "unet/config.json",
        f"unet/{WEIGHTS}",
        "scheduler/scheduler_config.json",
    ):
        if not (folder / part).is_file():
            raise UserError(f"{folder / part}: no such file, so {folder} holds no denoiser; run train-diffusion first")
    try:
        unet, loading = UNet2DConditionModel.from_pretrained(
            folder / "unet",
            use_safetensors=True,
            low_cpu_mem_usage=False,
            local_files_only=True,
            output_loading_info=True,
        )
        for fault in ("missing_keys", "unexpected_keys"):  # diffusers only warns of them
            if loading[fault]:
                raise KeyError(f"{fault}: {', '.join(sorted(loading[fault])[:3])}")
        scheduler = DDPMScheduler.from_pretrained(folder / "scheduler", local_files_only=True)
        unshuffle = int(json.loads((folder / "stem.json").read_text())["unshuffle"])
    except Exception as fault:  # diffusers, safetensors and json each raise their own kinds
        raise UserError(
            f"{folder}: the denoiser's weights are damaged or not its own ({type(fault).__name__}: {fault}); "
            "delete the folder and train again, or restore it from a backup"
        ) from fault
    return Denoiser(unet, scheduler, unshuffle).eval()
