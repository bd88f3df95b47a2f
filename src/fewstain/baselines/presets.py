"""Numbers of the baselines that train networks; without torch, for whoever only wants to know them."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from fewstain.settings import UNET_FEATURES, Preset, Strict, TrainingSettings, Width


class MaeSettings(TrainingSettings):
    """The masked autoencoder: its network and its training. `crop` is the side of the windows it always sees."""

    batch_size: int = Field(32, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    muon: bool = Field(True, description="its loss falls faster than by AdamW")
    weight_decay: float = Field(0.05, ge=0)
    patch: int = Field(4, ge=1, le=8, description="side of a token's patch, pixels")
    hidden: int = Field(192, ge=8, multiple_of=4)
    layers: int = Field(6, ge=1)
    heads: int = Field(6, ge=1)
    decoder_hidden: int = Field(96, ge=8, multiple_of=4)
    decoder_layers: int = Field(2, ge=1)
    masked: float = Field(0.75, gt=0, lt=1, description="share of the patches that are left out")


MAE_PRESETS: dict[Preset, MaeSettings] = {
    Preset.demo: MaeSettings(steps=300, hidden=96, layers=4, heads=4, warmup_steps=30, ema_decay=0.98),
    Preset.cpu: MaeSettings(),
    Preset.gpu: MaeSettings(
        crop=128,
        batch_size=64,
        hidden=384,
        layers=12,
        decoder_hidden=192,
        decoder_layers=4,
        learning_rate=1e-3,
        warmup_steps=500,
        steps=20_000,
        ema_decay=0.999,
    ),
}


class GanSettings(TrainingSettings):
    """The GAN: its networks and their training. `crop` is the side of its images."""

    learning_rate: float = Field(2e-3, gt=0)
    weight_decay: float = Field(0.0, ge=0)
    widths: tuple[Annotated[int, Field(ge=4)], ...] = Field(
        (96, 96, 96, 64, 32), min_length=2, description="channels at sides of 4, 8, 16, … pixels"
    )
    width: int = Field(96, ge=4, description="of a latent")
    r1: float = Field(1.0, ge=0, description="weight of the discriminator's squared gradient at real images")


GAN_PRESETS: dict[Preset, GanSettings] = {
    Preset.demo: GanSettings(steps=300, widths=(48, 48, 48, 32, 16), width=48, warmup_steps=30, ema_decay=0.98),
    Preset.cpu: GanSettings(),
    Preset.gpu: GanSettings(
        crop=128, widths=(256, 256, 256, 128, 64, 32), width=256, batch_size=32, steps=20_000, ema_decay=0.999
    ),
}


class UNetSettings(Strict):
    """The U-Net that learns from labels alone; how long is up to its budget."""

    features: tuple[Width, Width, Width, Width, Width, Width] = Field(
        UNET_FEATURES, description="width of the five levels and of the last layer"
    )
    crop: int = Field(64, ge=32, multiple_of=16, description="side of a training crop, pixels")
    batch_size: int = Field(8, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    weight_decay: float = Field(0.01, ge=0)
    window: int = Field(128, ge=32, multiple_of=16, description="side of the sliding window of prediction, pixels")


# 1.0 M parameters on a CPU and 7.4 M on a GPU, where our denoiser grows from 2.2 M to 12.9 M; the crops, batches and
# learning rate are those of our segmenter there
UNET_PRESETS: dict[Preset, UNetSettings] = {
    Preset.demo: UNetSettings(),
    Preset.cpu: UNetSettings(),
    Preset.gpu: UNetSettings(
        features=(64, 64, 128, 256, 512, 64), crop=128, batch_size=16, learning_rate=4e-4, window=256
    ),
}
