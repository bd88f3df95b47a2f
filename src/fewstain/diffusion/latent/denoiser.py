"""A denoiser that works in the latents of a VAE, which it has with it."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from fewstain.diffusion.latent.vae import Vae, load_vae
from fewstain.diffusion.network import Denoiser, Residuals, read_denoiser
from fewstain.errors import UserError


class LatentDenoiser(Denoiser):
    """Predicts the noise (or the velocity) in noised latents (Rombach et al., CVPR 2022).

    Sizes are those of images, as with any denoiser; what `forward` takes and gives is (B, L, H/f, W/f).

    Parameters
    ----------
    denoiser
        Of as many channels as the latents have; its scheduler must not clip samples.
    vae
        With latents standardised.
    """

    def __init__(self, denoiser: Denoiser, vae: Vae) -> None:
        super().__init__(denoiser.unet, denoiser.scheduler, denoiser.unshuffle)
        self.vae = vae

    @property
    def image_channels(self) -> int:
        """Number of channels of the images, not of the latents."""
        return self.vae.image_channels

    @property
    def noise_channels(self) -> int:
        """Number of channels of the latents."""
        return self.vae.latent_channels

    @property
    def factor(self) -> int:
        """Pixels to one latent, along one side."""
        return self.vae.factor

    @property
    def multiple(self) -> int:
        """Height and width of an image must be multiples of this many pixels."""
        return super().multiple * self.factor

    def forward(
        self, noisy: Tensor, timestep: Tensor, tokens: Tensor | None = None, residuals: Residuals | None = None
    ) -> Tensor:
        """Predict as `Denoiser.forward` does, from latents; UserError for another number of channels, as of pixels."""
        if noisy.ndim != 4 or noisy.shape[1] != self.noise_channels:
            raise UserError(
                f"an input of shape {tuple(noisy.shape)}; this denoiser takes latents, (n, {self.noise_channels}, "
                f"height / {self.factor}, width / {self.factor}): encode images first"
            )
        return super().forward(noisy, timestep, tokens, residuals)

    def encode(self, images: Tensor) -> Tensor:
        """Encode (B, C, H, W) images in [-1, 1] to standardised latents."""
        return self.vae.encode(images)

    def decode(self, denoised: Tensor) -> Tensor:
        """Decode standardised latents to (B, C, H, W) images in [-1, 1]."""
        return self.vae.decode(denoised)

    def save(self, folder: Path) -> None:
        """Write what `Denoiser.save` writes, and `folder`/vae."""
        super().save(folder)
        self.vae.save(folder)


def load_latent_denoiser(folder: Path) -> LatentDenoiser:
    """Read a denoiser of latents that `LatentDenoiser.save` wrote.

    Raises
    ------
    UserError
        If the folder holds none, or its weights, or those of its VAE, are damaged or do not belong together.
    """
    denoiser, vae = read_denoiser(folder), load_vae(folder)
    if denoiser.image_channels != vae.latent_channels:
        raise UserError(
            f"{folder}: a denoiser of {denoiser.image_channels} channels with a VAE of {vae.latent_channels} latent "
            "channels; they are not of one training: restore the folder from a backup, or train again"
        )
    return LatentDenoiser(denoiser, vae).eval()
