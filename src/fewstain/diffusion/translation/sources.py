"""Which image is the source of which: grey made from colours, or another folder's images of the same names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from numpy.typing import NDArray

from fewstain.dataset import Dataset, list_files
from fewstain.diffusion.translation.scale import luminance
from fewstain.errors import UserError
from fewstain.images.read import read_image, stem

GREY = "grey"


@dataclass(frozen=True)
class PairedFiles:
    """A target image's file and its source's; None where the source is the target made grey."""

    target: Path
    source: Path | None

    @property
    def files(self) -> tuple[Path, ...]:
        """All files that they are."""
        return (self.target,) if self.source is None else (self.target, self.source)

    def read(self) -> tuple[NDArray, NDArray]:
        """Source (H, W, S) and target (H, W, C), raw intensities.

        Raises
        ------
        UserError
            An unreadable file; a target that is no RGB image, where it is to be made grey; two sizes.
        """
        target = read_image(self.target).pixels
        if self.source is None:
            if target.shape[2] != 3:
                raise UserError(
                    f"{self.target}: {target.shape[2]} channels, but only RGB images can be made grey; "
                    "give --from a folder of source images"
                )
            return luminance(target), target
        source = read_image(self.source).pixels
        if source.shape[:2] != target.shape[:2]:
            shapes = [" x ".join(map(str, each.shape[:2])) for each in (source, target)]
            raise UserError(
                f"{self.source}: {shapes[0]} pixels, but {self.target} has {shapes[1]}; a translation is learned from "
                "images that show the same, pixel by pixel: align them first"
            )
        return source, target


def find_pairs(dataset: Dataset, source: str | Path) -> tuple[PairedFiles, ...]:
    """Find the source of each image of a dataset.

    Parameters
    ----------
    source
        "grey", or a folder of images with the names of the dataset's, whatever their extensions.

    Raises
    ------
    UserError
        No such folder; an image without a source.
    """
    if source == GREY:
        return tuple(PairedFiles(path, None) for path in dataset.images)
    folder = Path(source)
    if not folder.is_dir():
        raise UserError(f"--from {source}: no such folder; give {GREY}, or a folder of source images")
    sources = {stem(path): path for path in list_files(folder)}
    for path in dataset.images:
        if stem(path) not in sources:
            raise UserError(f"{path}: no image of this name in {folder}; add its source, or remove it from the dataset")
    return tuple(PairedFiles(path, sources[stem(path)]) for path in dataset.images)


def check_one_kind(pairs: tuple[PairedFiles, ...]) -> Iterator[tuple[NDArray, NDArray]]:
    """Read the pairs one after the other.

    Raises
    ------
    UserError
        Also where they are not all of the first one's channels and dtypes.
    """
    kinds = None
    for pair in pairs:
        read = pair.read()
        found = [(each.shape[2], str(each.dtype)) for each in read]
        kinds = kinds or found
        for path, kind, known in zip((pair.source or pair.target, pair.target), found, kinds, strict=True):
            if kind != known:
                raise UserError(
                    f"{path}: {kind[0]} channels of {kind[1]}, but the first image has {known[0]} of {known[1]}; "
                    "keep one kind of image in a folder"
                )
        yield read
