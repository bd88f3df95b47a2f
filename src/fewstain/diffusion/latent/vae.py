"""The VAE: images to latents of a fraction of their size, and back; diffusers' AutoencoderKL, fully convolutional."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import cast

import torch
from diffusers import AutoencoderKL
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn
from torch.nn import functional

from fewstain.diffusion.latent.code import CODE_FILE, BlockCode
from fewstain.diffusion.network import NORM_GROUPS, VAE_FOLDER, WEIGHTS
from fewstain.diffusion.pretrained import damage_told, load_pretrained, save_pretrained
from fewstain.errors import UserError
from fewstain.settings import VaeSettings
from fewstain.storage import sha256_file

STEM = "stem.json"
TILE = 512  # pixels; a longer image goes through in windows of this side, so that memory is bounded
FIRST_LOG_VARIANCE = -6.0  # of the posterior before training: a deviation of 1/20 of the latents'
OVERLAP = 0.25  # of a window's side, where neighbours are blended


class Vae(nn.Module):
    """Encodes images to latents of `latent_channels` channels and a `factor`-th of the height and width.

    There is no attention in it, so that time and memory grow with the area of an image and no faster. As in the
    denoiser, k x k blocks of pixels become channels first (Shi et al., CVPR 2016): k² times fewer places to convolve at
    the finest level, which is where a VAE spends its time.

    The network only adds to what takes no training, a linear code of f x f blocks fitted to the pool (as the shortcuts
    around each level of Chen et al., ICLR 2025, add to means and repeated pixels). Of ten images of the histology pool
    the code alone keeps 35.8 dB and 60 steps of training 36.0, where means and cubic interpolation in place of the code
    have 33.7.

    Parameters
    ----------
    network
        On (B, C k², H/k, W/k).
    unshuffle
        Side k of the block of pixels that becomes k² channels.
    code
        Of as many latents, channels and pixels a block as the network's.
    """

    def __init__(self, network: AutoencoderKL, unshuffle: int, code: BlockCode) -> None:
        super().__init__()
        self.network = network
        self.unshuffle = unshuffle
        self.code = code

    @property
    def image_channels(self) -> int:
        """Number of channels of the images it was made for."""
        return int(self.network.config["in_channels"]) // self.unshuffle**2

    @property
    def latent_channels(self) -> int:
        """Number of channels of the latents."""
        return int(self.network.config["latent_channels"])

    @property
    def factor(self) -> int:
        """Pixels to one latent, along one side."""
        return int(self.unshuffle * 2 ** (len(self.network.config["block_out_channels"]) - 1))

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.parameters()).device

    def posterior(self, images: Tensor) -> DiagonalGaussianDistribution:
        """q(z | image), a normal distribution for each latent, not standardised.

        Parameters
        ----------
        images
            (B, C, H, W) in [-1, 1]; H and W multiples of `factor`.
        """
        blocks = functional.pixel_unshuffle(images, self.unshuffle)
        # float32 whatever the network computes in: the KL term takes an exponential of the log variance
        moments = self.network.encode(blocks).latent_dist.parameters.float()
        mean, log_variance = moments.chunk(2, dim=1)
        return DiagonalGaussianDistribution(torch.cat([mean + self.code.encode(images), log_variance], dim=1))

    def image_of(self, latents: Tensor) -> Tensor:
        """(B, C, H, W) images, not clipped, of (B, L, H/f, W/f) latents that are not standardised."""
        detail = functional.pixel_shuffle(self.network.decode(latents).sample, self.unshuffle)
        return detail + self.code.decode(latents)

    @torch.no_grad()
    def encode(self, images: Tensor) -> Tensor:
        """Encode images to the mean of their posterior, standardised once `standardise` was told how.

        Parameters
        ----------
        images
            (B, C, H, W) float32 in [-1, 1] on the VAE's device; of more than `TILE` pixels a side it is done in
            overlapping windows.

        Returns
        -------
        Tensor
            (B, L, H/f, W/f) float32.

        Raises
        ------
        UserError
            Another number of channels, or sides that are no multiples of f.
        """
        if images.ndim != 4 or images.shape[1] != self.image_channels:
            raise UserError(
                f"images of shape {tuple(images.shape)}; this VAE takes (n, {self.image_channels}, height, width)"
            )
        if any(side < 1 or side % self.factor for side in images.shape[2:]):
            raise UserError(
                f"images of {images.shape[2]} x {images.shape[3]} pixels; this VAE needs multiples of {self.factor}"
            )
        mean, deviation = self._scale(images)
        latents = _in_windows(lambda window: self.posterior(window).mode(), images, TILE)
        return (latents - mean) / deviation

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Tensor:
        """Invert `encode` as well as it can be.

        Parameters
        ----------
        latents
            (B, L, h, w) float32 on the VAE's device.

        Returns
        -------
        Tensor
            (B, C, h f, w f) float32 in [-1, 1].

        Raises
        ------
        UserError
            Another number of channels, as images have that were not encoded.
        """
        if latents.ndim != 4 or latents.shape[1] != self.latent_channels:
            raise UserError(
                f"latents of shape {tuple(latents.shape)}; this VAE decodes (n, {self.latent_channels}, height / "
                f"{self.factor}, width / {self.factor}): encode images first"
            )
        mean, deviation = self._scale(latents)
        return _in_windows(self.image_of, latents * deviation + mean, TILE // self.factor).clamp(-1, 1)

    def standardise(self, mean: list[float], deviation: list[float]) -> None:
        """Let `encode` give latents of mean 0 and variance 1, where those of each channel are as told; each (L,)."""
        self.network.register_to_config(latents_mean=mean, latents_std=deviation)

    def _scale(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and deviation of latents, (L, 1, 1), as diffusers keeps them in a VAE's config; 0 and 1 if untold."""
        mean, deviation = self.network.config["latents_mean"], self.network.config["latents_std"]
        shape = (self.latent_channels, 1, 1)
        if mean is None or deviation is None:
            return like.new_zeros(shape), like.new_ones(shape)
        return like.new_tensor(mean).reshape(shape), like.new_tensor(deviation).reshape(shape)

    def save(self, folder: Path) -> None:
        """Write `folder`/vae in diffusers' layout, safetensors only, with a stem.json and the code."""
        save_pretrained(self.network, folder / VAE_FOLDER)
        self.code.save(folder / VAE_FOLDER)
        stem = {"unshuffle": self.unshuffle, "code_sha256": sha256_file(folder / VAE_FOLDER / CODE_FILE)}
        (folder / VAE_FOLDER / STEM).write_text(json.dumps(stem) + "\n")


def _in_windows(function: Callable[[Tensor], Tensor], images: Tensor, side: int) -> Tensor:
    """Apply a function to (B, C, H, W) images at once, or in overlapping windows where they are longer than `side`."""
    if max(images.shape[2:]) <= side:
        return function(images)
    extent = [min(side, length) for length in images.shape[2:]]
    blended = sliding_window_inference(images, extent, 1, function, overlap=OVERLAP, mode="gaussian")
    return cast(Tensor, blended)


def build_vae(settings: VaeSettings, code: BlockCode) -> Vae:
    """Make an untrained VAE, which does what its code does."""
    levels, blocks = len(settings.channels), code.image_channels * settings.unshuffle**2
    network = AutoencoderKL(
        in_channels=blocks,
        out_channels=blocks,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=settings.channels,
        layers_per_block=settings.layers_per_block,
        latent_channels=settings.latent_channels,
        norm_num_groups=NORM_GROUPS,
        scaling_factor=1.0,
        force_upcast=False,
        mid_block_add_attention=False,
    )
    with torch.no_grad():  # at first the network adds nothing, and the posterior is narrow
        for layer in (network.quant_conv, network.decoder.conv_out):
            layer.weight.zero_()
            layer.bias.zero_()
        network.quant_conv.bias[settings.latent_channels :] = FIRST_LOG_VARIANCE
    return Vae(network, settings.unshuffle, code)


def load_vae(folder: Path) -> Vae:
    """Read a VAE that `Vae.save` wrote: from the folder of train-vae, or of a denoiser of latents.

    Raises
    ------
    UserError
        If the folder holds none, or its weights are damaged or belong to another network.
    """
    part = folder / VAE_FOLDER
    for name in (STEM, "config.json", WEIGHTS, CODE_FILE):
        if not (part / name).is_file():
            raise UserError(f"{part / name}: no such file, so {folder} holds no VAE; run train-vae first")
    with damage_told(folder, "the VAE's"):
        network = load_pretrained(AutoencoderKL, part)
        stem = json.loads((part / STEM).read_text())
        if sha256_file(part / CODE_FILE) != stem["code_sha256"]:
            raise ValueError(f"{CODE_FILE} was altered")
        vae = Vae(network, int(stem["unshuffle"]), BlockCode.read(part))
    return vae.eval()
