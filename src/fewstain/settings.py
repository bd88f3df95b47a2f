"""The numbers of one run: every setting, its range and its meaning."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

UNET_MULTIPLE = 16  # pixels of the image to one cell of the coarsest of a U-Net's five levels


class Preset(StrEnum):
    """How much computing a run may take: minutes on two cores, under an hour, or an evening on a GPU."""

    demo = "demo"
    cpu = "cpu"
    gpu = "gpu"


class SegmenterNetwork(StrEnum):
    """The segmenter's network, and the weights it begins with.

    Attributes
    ----------
    unet
        MONAI's U-Net, from random weights: a step takes two thirds of the time, but it needs several times as many.
    denoiser
        The denoiser's U-Net, trained on.
    untrained
        The denoiser's U-Net, from random weights: what its training is worth to a segmenter.
    """

    unet = "unet"
    denoiser = "denoiser"
    untrained = "untrained"


class Strict(BaseModel):
    """A model that knows all its keys, never changes, and takes yes or no for no number."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @field_validator("*", mode="before")
    @classmethod
    def _no_truth_value_for_a_number(cls, value: Any, info: ValidationInfo) -> Any:
        # YAML reads yes, no, on and off as booleans, and pydantic would read those as the numbers 1 and 0
        if isinstance(value, bool) and info.field_name and cls.model_fields[info.field_name].annotation is not bool:
            raise ValueError("true, false, yes and no are no values for this key")
        return value


Width = Annotated[int, Field(ge=8, multiple_of=8)]
UNET_FEATURES = (24, 24, 48, 96, 192, 24)


class TrainingSettings(Strict):
    """How a network is trained on crops of images, whatever it learns."""

    crop: int = Field(64, ge=16, description="side of a training crop, pixels")
    batch_size: int = Field(16, ge=1)
    steps: int = Field(1500, ge=1)
    learning_rate: float = Field(1e-3, gt=0)
    warmup_steps: int = Field(100, ge=0)
    weight_decay: float = Field(0.01, ge=0)
    muon: bool = Field(False, description="matrices are trained by Muon, and only the rest by AdamW")
    ema_decay: float = Field(0.995, ge=0, lt=1)
    checkpoint_seconds: float = Field(60, ge=0, description="time between two saved training states")


class DiffusionSettings(TrainingSettings):
    """The denoiser: its network, its objective and its training."""

    steps: int = Field(4500, ge=1, description="time of training grows with it")
    unshuffle: Literal[1, 2, 4] = Field(2, description="pixels of a k x k block become channels before the first layer")
    channels: tuple[Annotated[int, Field(ge=8, multiple_of=8)], ...] = Field(
        (48, 96, 96), min_length=1, max_length=6, description="width of each resolution level; multiples of 8"
    )
    layers_per_block: int = Field(1, ge=1, le=4)
    attention: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (),
        description="levels whose cells attend to each other, counted from 0, the finest; "
        "their cost grows with the square of an image's or a tile's cells",
    )
    betas: Literal["linear", "cosine"] = "linear"
    prediction: Literal["epsilon", "v_prediction"] = Field(
        "v_prediction", description="epsilon paints noise, or far too bright, after so short a training"
    )
    train_timesteps: int = Field(1000, ge=10, description="length T of the noise schedule")
    small_timestep_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="share of training steps whose timestep is drawn from the lowest third of the schedule",
    )
    samples: int = Field(16, ge=0, description="images painted for the report when training ends")
    sample_steps: int = Field(20, ge=1)

    @model_validator(mode="after")
    def _attention_at_levels_that_are_there(self) -> Self:
        if len(set(self.attention)) < len(self.attention):
            raise ValueError(f"attention names a level twice: {list(self.attention)}")
        if max(self.attention, default=0) >= len(self.channels):
            raise ValueError(
                f"attention names level {max(self.attention)}, but channels has levels 0 to {len(self.channels) - 1}"
            )
        return self

    @property
    def stride(self) -> int:
        """Pixels of the image to one cell of the network's coarsest map."""
        return int(self.unshuffle) * 2 ** (len(self.channels) - 1)


class VaeSettings(TrainingSettings):
    """The VAE that a denoiser of latents works in: its network, its objective and its training."""

    learning_rate: float = Field(3e-3, gt=0)
    muon: bool = Field(True, description="matrices are trained by Muon, and only the rest by AdamW")
    unshuffle: Literal[1, 2, 4] = Field(2, description="pixels of a k x k block become channels before the first layer")
    channels: tuple[Annotated[int, Field(ge=8, multiple_of=8)], ...] = Field(
        (32, 64), min_length=1, max_length=6, description="width of each resolution level; multiples of 8"
    )
    layers_per_block: int = Field(1, ge=1, le=4)
    # 8 principal components keep 3 to 4 dB more (pools of histology and fluorescence), for twice as much to paint
    latent_channels: int = Field(4, ge=1, le=64)
    gradient_weight: float = Field(1.0, ge=0, description="of the gradients' part in the reconstruction loss")
    kl_weight: float = Field(1e-4, ge=0, description="of the KL divergence of a latent from a standard normal one")

    @property
    def factor(self) -> int:
        """Pixels of the image to one latent, along one side."""
        return int(self.unshuffle) * 2 ** (len(self.channels) - 1)


class ConditionalSettings(DiffusionSettings):
    """A denoiser that takes conditions, words or images: what differs from one that takes none."""

    token_width: int = Field(96, ge=8, multiple_of=8, description="width of a token of the condition")
    drop: float = Field(0.1, ge=0, le=1, description="share of crops trained on without their condition")
    set_size: int = Field(4, ge=1, le=64, description="images in a set, at most; for train-few-shot")


class ControlSettings(TrainingSettings):
    """A ControlNet on a trained denoiser: its training; all else is the denoiser's."""

    steps: int = Field(600, ge=1)
    learning_rate: float = Field(3e-3, gt=0)
    muon: bool = Field(True, description="matrices are trained by Muon, and only the rest by AdamW")
    warmup_steps: int = Field(50, ge=0)
    small_timestep_share: float = Field(0.0, ge=0, le=1, description="as of diffusion; 0 learns to paint")
    samples: int = Field(8, ge=0, description="conditions painted for the report when training ends")
    sample_steps: int = Field(20, ge=1)


class TranslationSettings(DiffusionSettings):
    """A denoiser that sees a source image: what differs from one of images alone."""

    steps: int = Field(1500, ge=1)
    unshuffle: Literal[1, 2, 4] = Field(4, description="pixels of a k x k block become channels before the first layer")
    channels: tuple[Annotated[int, Field(ge=8, multiple_of=8)], ...] = Field(
        (64, 64, 64), min_length=1, max_length=6, description="width of each resolution level; multiples of 8"
    )
    crop: int = Field(128, ge=16, description="side of a training crop, pixels; colours depend on what is far around")
    batch_size: int = Field(4, ge=1)
    betas: Literal["linear", "cosine"] = "cosine"
    prediction: Literal["v_prediction"] = Field(
        "v_prediction", description="velocity at the highest noise is the mean of all that fits the source"
    )
    small_timestep_share: float = Field(0.0, ge=0, le=1, description="as of diffusion; 0 learns to paint")
    samples: int = Field(4, ge=0, description="crops translated for the report when training ends")
    sample_steps: int = Field(10, ge=1)


class PixelSettings(Strict):
    """The ensemble of pixel MLPs on the denoiser's features, and how it is chosen."""

    timesteps: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        (20, 80, 160), min_length=1, description="candidates; the choice among them is made out-of-fold"
    )
    noise_draws: int = Field(1, ge=1, le=16, description="features are averaged over this many draws of noise")
    filters: bool = Field(True, description="classical filters as features beside the denoiser's")
    components: int = Field(
        16, ge=0, description="principal components kept of each of the denoiser's maps; 0 keeps all"
    )
    members: int = Field(5, ge=1, le=50)
    hidden: tuple[Annotated[int, Field(ge=1)], Annotated[int, Field(ge=1)]] = Field(
        (32, 16), description="width of the two hidden layers of each member"
    )
    steps: int = Field(1000, ge=1)
    batch_pixels: int = Field(1024, ge=64, description="pixels a member sees in one step")
    views: int = Field(
        6,
        ge=1,
        description="views of each window to learn from: turned, lit otherwise, crowded with copies, noised anew",
    )
    table_pixels: int = Field(
        196_608, ge=64, description="pixels to learn from: gathered from all windows in all views, from each as many"
    )
    learning_rate: float = Field(3e-3, gt=0)
    weight_decay: float = Field(
        1.0, ge=0, description="of AdamW: high, for few windows tempt the members to learn each by heart"
    )
    dropout: float = Field(0.1, ge=0, lt=1)
    folds: int = Field(4, ge=2, le=10)
    decoder_trials: int = Field(50, ge=1, description="parameter sets of the decoder tried out-of-fold")
    decoders: int = Field(
        14, ge=1, le=50, description="the best of the decoder's parameter sets, each of which proposes objects"
    )
    decoder_views: int = Field(
        3, ge=0, description="held-out views of each window that the decoder is chosen by, beside the window itself"
    )

    def pixels_of_each(self, windows: int) -> int:
        """Of so many windows, the pixels that each gives to the table in one view."""
        return max(1, self.table_pixels // (windows * self.views))


class SegmenterSettings(TrainingSettings):
    """The segmenter: a network that maps pixels in one pass, trained on labels, and on pairs where there are some."""

    network: SegmenterNetwork = Field(
        SegmenterNetwork.denoiser,
        description="denoiser: its own, trained on; untrained: that from random weights; unet: a U-Net from such",
    )
    features: tuple[Width, Width, Width, Width, Width, Width] = Field(
        UNET_FEATURES, description="of network unet: width of the five levels and of the last layer"
    )
    batch_size: int = Field(8, ge=1)
    steps: int = Field(2400, ge=1)
    fold_steps: int = Field(
        400, ge=1, description="steps of each training without a fold, for the choice of decoder and method"
    )
    warmup_steps: int = Field(20, ge=0)
    ema_decay: float = Field(0.99, ge=0, lt=1)
    views: int = Field(8, ge=0, description="views of each window to learn from, as of pixels, beside the window")
    pairs_share: float = Field(0.5, ge=0, le=1, description="of the crops, those of synthetic pairs, if there are some")
    decoder_trials: int = Field(50, ge=1, description="as of pixels")
    decoders: int = Field(14, ge=1, le=50, description="as of pixels")


class SegmentSettings(Strict):
    """How whole images are run."""

    tile: int = Field(320, ge=32, description="largest side of the part of a tile that is kept, pixels")
    overlap: int = Field(32, ge=0, description="context around it, pixels")
    flips: bool = Field(False, description="average the maps over the image and its mirror images: 4 times the work")


class Settings(Strict):
    """All numbers of one run."""

    diffusion: DiffusionSettings = DiffusionSettings()
    pixels: PixelSettings = PixelSettings()
    segmenter: SegmenterSettings = SegmenterSettings()
    segment: SegmentSettings = SegmentSettings()

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        """Check what no single key can tell."""
        stride = self.diffusion.stride
        for key, pixels in (
            ("diffusion.crop", self.diffusion.crop),
            ("segmenter.crop", self.segmenter.crop),
            ("segment.tile", self.segment.tile),
            ("segment.overlap", self.segment.overlap),
        ):
            if pixels % stride:
                raise ValueError(
                    f"{key} is {pixels}, but must be a multiple of {stride} "
                    "(diffusion.unshuffle times 2 for every level of diffusion.channels after the first)"
                )
        if self.segmenter.network is SegmenterNetwork.unet and self.segmenter.crop % UNET_MULTIPLE:
            raise ValueError(
                f"segmenter.crop is {self.segmenter.crop}, but must be a multiple of {UNET_MULTIPLE}, or "
                "segmenter.network be denoiser"
            )
        timesteps = self.pixels.timesteps
        if len(set(timesteps)) < len(timesteps):
            raise ValueError(f"pixels.timesteps names a timestep twice: {list(timesteps)}")
        if max(timesteps) >= self.diffusion.train_timesteps:
            raise ValueError(
                f"pixels.timesteps has {max(timesteps)}, but must stay below "
                f"diffusion.train_timesteps = {self.diffusion.train_timesteps}"
            )
        return self
