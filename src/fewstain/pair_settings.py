"""The numbers of synthetic pairs: how the painter is trained, what is painted, and what is kept."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from fewstain.settings import DiffusionSettings, Preset, Strict, TrainingSettings


class PairKind(StrEnum):
    """What of a pair is made first.

    Attributes
    ----------
    layout
        Objects, and then an image of them; the labels are exact.
    image
        An image, which the ensemble then labels (DatasetDDPM).
    edit
        A labeled image of another stain, which is then painted over in this one (SDEdit).
    """

    layout = "layout"
    image = "image"
    edit = "edit"


class LayoutSettings(DiffusionSettings):
    """The denoiser of layouts: what differs from one of images."""

    unshuffle: Literal[1, 2, 4] = Field(2, description="pixels of a k x k block become channels before the first layer")
    channels: tuple[Annotated[int, Field(ge=8, multiple_of=8)], ...] = Field(
        (48, 64, 64), min_length=1, max_length=6, description="width of each resolution level; multiples of 8"
    )
    crop: int = Field(64, ge=16, description="side of a training crop; a layout's pixel is two of the image's")
    batch_size: int = Field(8, ge=1)
    steps: int = Field(1000, ge=1)
    betas: Literal["linear", "cosine"] = "cosine"
    small_timestep_share: float = Field(0.0, ge=0, le=1, description="as of diffusion; 0 learns to paint")


class PainterSettings(TrainingSettings):
    """The painter: the denoiser and its ControlNet, trained together."""

    steps: int = Field(1200, ge=1)
    warmup_steps: int = Field(50, ge=0)
    small_timestep_share: float = Field(0.0, ge=0, le=1, description="as of diffusion; 0 learns to paint")
    drop: float = Field(
        0.2, ge=0, lt=1, description="share of crops painted without their layout, which image-first pairs need"
    )
    samples: int = Field(8, ge=0, description="layouts painted for the report when training ends")
    sample_steps: int = Field(30, ge=1)


def as_sections(value: Any) -> Any:
    """Read one section as a list of one; ValueError where it is neither a section nor a list."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, list | tuple):
        return value
    raise ValueError("must be a section such as {n: 64}, or a list of such")


class PairSettings(Strict):
    """Which pairs the workflow makes of a dataset with labels."""

    model_config = ConfigDict(serialize_by_alias=True)

    n: int = Field(0, ge=0, description="pairs generated, of which fewer are kept; 0 for none")
    kind: Literal["layout", "image", "edit"] = Field(
        "layout", description="what is made first: objects, an image, or labeled images of another dataset"
    )
    side: int = Field(128, ge=16, description="of the images, pixels")
    steps: int = Field(30, ge=1, description="evaluations of the network for each image")
    batch_size: int = Field(4, ge=1, description="pairs computed together; a shard takes whole batches")
    shards: int = Field(1, ge=1, description="jobs that the pairs are shared out to; the result is the same")
    keep: float | None = Field(
        None, ge=0.001, le=1, description="share kept, the least uncertain; by default half of image-first pairs"
    )
    min_agreement: float | None = Field(
        None,
        ge=0,
        le=1,
        description="least panoptic quality of layouts segmented again; by default what the labels say",
    )
    max_distance: float | None = Field(
        None, ge=0, description="largest distance to the pool; by default what real images say"
    )
    crowding: float = Field(1.0, ge=0.01, description="area covered by objects, as a multiple of a layout's own")
    size: float = Field(1.0, ge=0.25, le=4, description="diameter of objects, as a multiple of what was learned")
    count: int | None = Field(None, ge=1, description="objects in each layout; as many as come by default")
    layouts: str | None = Field(
        None, min_length=1, description="folder of label images to paint in place of sampled layouts"
    )
    layouts_from: str | None = Field(
        None, min_length=1, description="dataset of this file whose layouts are painted in place of its own"
    )
    source: str | None = Field(
        None, alias="from", min_length=1, description="of kind edit: dataset of this file to edit labeled images of"
    )
    strength: float | None = Field(
        None, ge=0, le=1, description="of kind edit: from 0, nothing is repainted, to 1, nothing stays; 0.4 by default"
    )

    @model_validator(mode="after")
    def _keys_go_together(self) -> Self:
        layout, edit = self.kind == PairKind.layout, self.kind == PairKind.edit
        arranged = self.crowding != 1 or self.count is not None
        faults = {
            "layouts are painted as they are given: leave out kind, crowding and count": (
                self.layouts is not None and (not layout or arranged)
            ),
            "layouts and layouts_from: give one of the two": None not in (self.layouts, self.layouts_from),
            "layouts_from: only pairs of kind layout have layouts that are painted; leave it out": (
                self.layouts_from is not None and not layout
            ),
            "kind edit needs `from`, the dataset whose labeled images are edited; add it": edit and self.source is None,
            "from: only kind edit takes labeled images of a dataset; leave it out, or add kind: edit": (
                self.source is not None and not edit
            ),
            "strength: only kind edit repaints images; leave it out": self.strength is not None and not edit,
            "crowding and count: only sampled layouts can be changed; leave them out": arranged and not layout,
            "size: only the objects of sampled layouts, or of kind edit, can be enlarged; leave it out": (
                self.size != 1 and (self.layouts is not None or self.kind == PairKind.image)
            ),
        }
        for fault, found in faults.items():
            if found:
                raise ValueError(fault)
        return self

    def options(self) -> list[str]:
        """Options of `fewstain pairs`, but for the folders of other datasets."""
        told: dict[str, Any] = {"-n": self.n, "--kind": self.kind, "--side": self.side, "--steps": self.steps}
        told |= {"--batch-size": self.batch_size, "--crowding": self.crowding, "--size": self.size}
        if self.count is not None:
            told["--count"] = self.count
        if self.layouts is not None:
            told["--layouts"] = self.layouts
        if self.strength is not None:
            told["--strength"] = self.strength
        return [str(word) for option in told.items() for word in option]

    def others(self) -> dict[str, str]:
        """Datasets of config.yaml that are named, by the key that names them."""
        named = {"layouts_from": self.layouts_from, "from": self.source}
        return {key: name for key, name in named.items() if name is not None}

    def filter_options(self) -> list[str]:
        """Options of `fewstain gather-pairs`."""
        told: dict[str, Any] = {
            "--keep": self.keep,
            "--min-agreement": None if self.kind == PairKind.image else self.min_agreement,
            "--max-distance": self.max_distance,
        }
        return [str(word) for option in told.items() if option[1] is not None for word in option]


LAYOUT_PRESETS: dict[Preset, LayoutSettings] = {
    Preset.demo: LayoutSettings(
        channels=(32, 32, 32), steps=150, warmup_steps=15, ema_decay=0.97, checkpoint_seconds=20, samples=8,
        sample_steps=20,
    ),
    Preset.cpu: LayoutSettings(),
    Preset.gpu: LayoutSettings(
        channels=(64, 128, 128), crop=128, batch_size=32, steps=10_000, learning_rate=4e-4, warmup_steps=500,
        ema_decay=0.999, sample_steps=50,
    ),
}  # fmt: skip

PAINTER_PRESETS: dict[Preset, PainterSettings] = {
    Preset.demo: PainterSettings(
        batch_size=8, steps=150, warmup_steps=15, ema_decay=0.97, checkpoint_seconds=20, samples=4, sample_steps=20
    ),
    Preset.cpu: PainterSettings(),
    Preset.gpu: PainterSettings(
        crop=128, batch_size=32, steps=20_000, learning_rate=4e-4, warmup_steps=500, ema_decay=0.999, sample_steps=50
    ),
}

PAIR_PRESETS: dict[Preset, PairSettings] = {
    Preset.demo: PairSettings(steps=15, shards=2, min_agreement=0.1),
    Preset.cpu: PairSettings(),
    Preset.gpu: PairSettings(steps=50, batch_size=32, side=256, shards=4),
}

# sections of a dataset in config.yaml, beside those of `Settings`
PAIR_SECTIONS: dict[str, Mapping[Preset, Strict]] = {
    "layouts": LAYOUT_PRESETS,
    "painter": PAINTER_PRESETS,
    "pairs": PAIR_PRESETS,
}
