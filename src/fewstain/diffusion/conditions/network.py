"""A denoiser with an encoder of its condition, and the folder both are kept in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from fewstain.diffusion.conditions.image_set import SetEncoder
from fewstain.diffusion.conditions.words import WordEncoder
from fewstain.diffusion.network import ENCODER_CONFIG, Denoiser, Residuals, build_denoiser, read_denoiser
from fewstain.diffusion.pretrained import damage_told
from fewstain.errors import UserError
from fewstain.settings import ConditionalSettings
from fewstain.storage import atomic_path

ENCODER_WEIGHTS = "encoder.safetensors"

Encoder = WordEncoder | SetEncoder
_KINDS: dict[str, Any] = {kind.kind: kind for kind in (WordEncoder, SetEncoder)}


class ConditionalDenoiser(Denoiser):
    """Predicts the noise (or the velocity) in a noised image, given tokens that its encoder made of a condition.

    Parameters
    ----------
    base
        A denoiser with cross-attention on tokens as wide as the encoder's; its U-Net is taken over, not copied.
    encoder
        Of words or of sets of images.
    """

    def __init__(self, base: Denoiser, encoder: Encoder) -> None:
        super().__init__(base.unet, base.scheduler, base.unshuffle)
        self.encoder = encoder

    def dropped(self, tokens: Tensor, drop: Tensor) -> Tensor:
        """Replace the tokens (B, L, D) of crops where `drop` (B,) is true by those of no condition.

        L is a multiple of the number of tokens of no condition, which then come several times.
        """
        nothing = self.encoder.nothing()
        nothing = nothing.repeat(1, tokens.shape[1] // nothing.shape[1], 1).to(tokens.dtype)
        return torch.where(drop[:, None, None], nothing, tokens)

    def save(self, folder: Path) -> None:
        """Write what `Denoiser.save` writes, and `folder`/encoder.json and encoder.safetensors."""
        super().save(folder)
        content = {"kind": self.encoder.kind, **self.encoder.config()}
        (folder / ENCODER_CONFIG).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
        with atomic_path(folder / ENCODER_WEIGHTS) as temporary:
            save_file({name: tensor.contiguous() for name, tensor in self.encoder.state_dict().items()}, temporary)


class Guided(Denoiser):
    """A conditional denoiser with its condition bound: it stands wherever a plain one does.

    Classifier-free guidance (Ho & Salimans, 2022), in diffusers' convention: u + s (c - u) of the answers c with and u
    without the condition, so that s = 0 is without and s = 1 with it, both exactly and for half the work.

    Parameters
    ----------
    base
        Its U-Net is taken over, not copied.
    tokens
        (1, L, D) of the condition.
    scale
        s, 0 or more.

    Raises
    ------
    UserError
        A scale below 0.
    """

    def __init__(self, base: ConditionalDenoiser, tokens: Tensor, scale: float) -> None:
        if scale < 0:
            raise UserError(f"guidance scale {scale}; 0 leaves the condition out, 1 takes it, more exaggerates it")
        super().__init__(base.unet, base.scheduler, base.unshuffle)
        self.scale = scale
        self.tokens: Tensor
        self.nothing: Tensor
        self.register_buffer("tokens", tokens.detach(), persistent=False)
        self.register_buffer("nothing", base.encoder.nothing().detach(), persistent=False)

    def forward(
        self, noisy: Tensor, timestep: Tensor, tokens: Tensor | None = None, residuals: Residuals | None = None
    ) -> Tensor:
        """Predict as `Denoiser.forward` does; `tokens`, where given, stand in place of those bound."""

        def given(condition: Tensor) -> Tensor:
            return super(Guided, self).forward(noisy, timestep, condition.expand(len(noisy), -1, -1), residuals)

        tokens = self.tokens if tokens is None else tokens
        if self.scale == 1:
            return given(tokens)
        unconditional = given(self.nothing)
        if self.scale == 0:
            return unconditional
        return unconditional + self.scale * (given(tokens) - unconditional)


def unconditional(denoiser: ConditionalDenoiser) -> Guided:
    """Bind no condition at all."""
    return Guided(denoiser, denoiser.encoder.nothing(), 0.0)


def build_conditional(settings: ConditionalSettings, image_channels: int, encoder: Encoder) -> ConditionalDenoiser:
    """Make an untrained denoiser for images of `image_channels` channels around an encoder."""
    return ConditionalDenoiser(build_denoiser(settings, image_channels, token_width=encoder.width), encoder)


def is_conditional(folder: Path) -> bool:
    """Whether a folder holds a denoiser that takes conditions."""
    return (folder / ENCODER_CONFIG).is_file()


def load_conditional(folder: Path) -> ConditionalDenoiser:
    """Read a denoiser that `ConditionalDenoiser.save` wrote.

    Raises
    ------
    UserError
        If the folder holds none, or its weights are damaged or not its own.
    """
    if not is_conditional(folder):
        raise UserError(f"{folder / ENCODER_CONFIG}: no such file, so the denoiser in {folder} takes no conditions")
    base = read_denoiser(folder)
    with damage_told(folder, "the encoder's"):
        config = json.loads((folder / ENCODER_CONFIG).read_text(encoding="utf-8"))
        encoder: Encoder = _KINDS[config.pop("kind")](**config)
        encoder.load_state_dict(load_file(folder / ENCODER_WEIGHTS))
    return ConditionalDenoiser(base, encoder).eval()
