"""The ControlNet of a denoiser (Zhang et al., *Adding conditional control to text-to-image diffusion*, ICCV 2023)."""

from __future__ import annotations

from pathlib import Path

from diffusers import ControlNetModel
from torch import Tensor, nn
from torch.nn import functional

from fewstain.diffusion.levels import Predict
from fewstain.diffusion.network import WEIGHTS, Denoiser, Residuals
from fewstain.diffusion.pretrained import damage_told, load_pretrained, save_pretrained
from fewstain.diffusion.seeding import seeded
from fewstain.errors import UserError

FOLDER = "controlnet"
EMBEDDING = (32,)  # width of the condition's embedding; one width only, for each further one would halve its resolution


class Control(nn.Module):
    """A copy of a denoiser's encoder that reads a condition, and adds to what the denoiser's decoder is given.

    What it adds passes through convolutions that are zero at first, so that an untrained control changes nothing. The
    condition goes through the same pixel-unshuffle as the image, and so meets it at its own resolution.

    Parameters
    ----------
    net
        On blocks of pixels, (B, C k², H/k, W/k), with conditions of (B, K k², H/k, W/k).
    unshuffle
        k, that of the denoiser.
    """

    def __init__(self, net: ControlNetModel, unshuffle: int) -> None:
        super().__init__()
        self.net = net
        self.unshuffle = unshuffle

    @property
    def condition_channels(self) -> int:
        """Number of planes of its conditions."""
        return int(self.net.config["conditioning_channels"]) // self.unshuffle**2

    def forward(self, noisy: Tensor, timestep: Tensor, condition: Tensor) -> Residuals:
        """Say what to add to the denoiser's skip connections, and to its middle.

        Parameters
        ----------
        noisy, timestep
            As of `Denoiser.forward`.
        condition
            (B, K, H, W) planes in [0, 1].
        """
        down, middle = self.net(
            functional.pixel_unshuffle(noisy, self.unshuffle),
            timestep,
            encoder_hidden_states=None,
            controlnet_cond=functional.pixel_unshuffle(condition, self.unshuffle),
            return_dict=False,
        )
        return down, middle

    def save(self, folder: Path) -> None:
        """Write `folder`/controlnet in diffusers' layout, safetensors only."""
        save_pretrained(self.net, folder / FOLDER)


def build_control(denoiser: Denoiser, condition_channels: int, seed: int) -> Control:
    """Make an untrained control of a denoiser; the embedding's weights are a function of the seed.

    Parameters
    ----------
    denoiser
        Its encoder is copied.
    condition_channels
        Planes of the conditions, K.
    """
    with seeded(seed):
        net = ControlNetModel.from_unet(
            denoiser.unet,
            conditioning_embedding_out_channels=EMBEDDING,
            conditioning_channels=condition_channels * denoiser.unshuffle**2,
        )
    return Control(net, denoiser.unshuffle)


def load_control(folder: Path, denoiser: Denoiser) -> Control:
    """Read the control that `Control.save` wrote, of this denoiser.

    Raises
    ------
    UserError
        If the folder holds none, or its weights are damaged or belong to another network.
    """
    for part in ("config.json", WEIGHTS):
        if not (folder / FOLDER / part).is_file():
            raise UserError(
                f"{folder / FOLDER / part}: no such file, so {folder} holds no control; run train-control first"
            )
    with damage_told(folder, "the control's"):
        net = load_pretrained(ControlNetModel, folder / FOLDER)
    return Control(net, denoiser.unshuffle).eval()


def with_condition(denoiser: Denoiser, control: Control, condition: Tensor) -> Predict:
    """Bind conditions (B, K, H, W) in [0, 1]: what is left is a function of the noised image and the timestep."""

    def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
        predicted: Tensor = denoiser(noisy, timestep, residuals=control(noisy, timestep, condition.to(noisy.dtype)))
        return predicted

    return predict
