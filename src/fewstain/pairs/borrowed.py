"""A denoiser of other stains that paints a stain's pairs: by an adapter, or told by words or images what to paint."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fewstain.diffusion.adapter import ADAPTER_FILE
from fewstain.diffusion.conditions.network import ENCODER_WEIGHTS, is_conditional
from fewstain.diffusion.conditions.opening import open_painter
from fewstain.diffusion.network import WEIGHTS, Denoiser
from fewstain.diffusion.record import DenoiserRecord
from fewstain.errors import UserError


@dataclass(frozen=True)
class Borrowed:
    """What paints in place of the stain's own denoiser.

    Attributes
    ----------
    denoiser
        Its folder; None where the stain's own denoiser paints.
    adapter
        Folder of an adapter of it, which brings it to the stain.
    words, like, guidance_scale
        As of `fewstain sample`, of one that takes conditions.
    """

    denoiser: Path | None = None
    adapter: Path | None = None
    words: str | None = None
    like: tuple[Path, ...] = ()
    guidance_scale: float | None = None

    def check(self) -> None:
        """Raise UserError where something is to be told to no denoiser."""
        told = {
            "--adapter": self.adapter is not None,
            "--words": self.words is not None,
            "--like": bool(self.like),
            "--guidance-scale": self.guidance_scale is not None,
        }
        asked = [option for option, given in told.items() if given]
        if asked and self.denoiser is None:
            raise UserError(f"{asked[0]}: the stain's own denoiser takes none; name one that does with --denoiser DIR")

    def open(self, record: DenoiserRecord) -> Denoiser:
        """Read the denoiser, with what it is told bound to it, for the images that a stain's own `record` tells of.

        Raises
        ------
        UserError
            As `open_painter`; a denoiser of images with another number of channels.
        """
        assert self.denoiser is not None
        denoiser, _record = open_painter(
            self.denoiser,
            adapter=self.adapter,
            words=self.words,
            like=self.like,
            guidance_scale=self.guidance_scale,
        )
        if denoiser.image_channels != len(record.channels):
            raise UserError(
                f"--denoiser {self.denoiser}: paints images with {denoiser.image_channels} channels, and those of this "
                f"stain have {len(record.channels)}; choose one for such images"
            )
        return denoiser

    def files(self) -> Iterator[Path]:
        """All files that what is painted depends on."""
        if self.denoiser is not None:
            yield self.denoiser / "unet" / WEIGHTS
            if is_conditional(self.denoiser):
                yield self.denoiser / ENCODER_WEIGHTS
        if self.adapter is not None:
            yield self.adapter / ADAPTER_FILE
        yield from self.like
