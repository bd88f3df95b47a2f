"""Image and label files -> arrays; whatever cannot be read whole and without guessing is a UserError."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from fewstain.errors import UserError
from fewstain.images import bio, raster, tiff
from fewstain.images.plane import Header, Plane

# ".ome.tif" counts as one extension, so the order matters: longest first.
TIFF_EXTENSIONS = (".ome.tiff", ".ome.tif", ".ome.btf", ".tiff", ".tif", ".btf", ".tf8")
RASTER_EXTENSIONS = (".png", ".jpeg", ".jpg")
IMAGE_EXTENSIONS = (*TIFF_EXTENSIONS, *RASTER_EXTENSIONS, *bio.EXTENSIONS)
LABEL_EXTENSIONS = (*TIFF_EXTENSIONS, ".png")

_T = TypeVar("_T", Plane, Header)


@dataclass(frozen=True)
class Image:
    """One image as its file has it.

    Attributes
    ----------
    pixels : (H, W, C) array
        Raw intensities in the file's dtype, native byte order; C is always there; alpha is dropped.
    pixel_size_um : float or None
        Side of a pixel in µm, where the file tells and pixels are square.
    notes : tuple of str
        What a user may want to know: "alpha channel dropped".
    oblong_um : (height, width) or None
        Sides of a pixel in µm, where the file tells that pixels are not square.
    rgb : bool
        Whether the file says that the three channels are red, green and blue of one picture.
    """

    pixels: np.ndarray
    pixel_size_um: float | None = None
    notes: tuple[str, ...] = ()
    oblong_um: tuple[float, float] | None = None
    rgb: bool = False


def extension(path: Path | str) -> str:
    """Find the known image extension a file name ends with, in lower case; "" when there is none."""
    name = Path(path).name.lower()
    return next((known for known in IMAGE_EXTENSIONS if name.endswith(known) and name != known), "")


def stem(path: Path | str) -> str:
    """Cut off a file name's one known image extension: "a.b.tif" -> "a.b", "c.ome.tif" -> "c"."""
    name = Path(path).name
    ending = extension(name)
    return name[: len(name) - len(ending)] if ending else name


def namesakes(paths: Iterable[Path]) -> Iterator[tuple[Path, Path]]:
    """Give each file whose stem an earlier one has, with that one.

    Stems that differ in capitals only are the same: on Windows and macOS, what is written for one file would replace
    what was written for the other.
    """
    found: dict[str, Path] = {}
    for path in paths:
        other = found.setdefault(stem(path).casefold(), path)
        if other is not path:
            yield path, other


def read_image(path: Path | str) -> Image:
    """Read a TIFF, PNG or JPEG image (CZI, ND2 and LIF with the extra `bio`), whole.

    Returns
    -------
    Image
        pixels (H, W, C): unsigned or signed integers or floats, as in the file.

    Raises
    ------
    UserError
        Unreadable or truncated file; a Z or time stack; axes without names; NaN or infinite values; unknown format.
    """
    path = Path(path)
    plane = _decode(path, lambda reader: reader.read(path))
    pixels = plane.pixels
    if pixels.dtype == bool:
        pixels = pixels.astype(np.uint8) * np.uint8(255)
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise UserError(f"{path}: holds NaN or infinite values; replace them, for example by 0, and save it again")
    head = plane.header
    return Image(np.ascontiguousarray(pixels), head.pixel_size_um, head.notes, head.oblong_um, head.rgb)


def read_header(path: Path | str) -> Header:
    """Size, channels, dtype and pixel size of an image, from its header where the format allows; see `read_image`."""
    path = Path(path)
    return _decode(path, lambda reader: reader.header(path))


def are_rgb(paths: Iterable[Path]) -> bool:
    """Whether all of these files say that they are RGB; see `Header.rgb`. Only headers are read."""
    return all(read_header(path).rgb for path in paths)


def image_size(path: Path | str) -> tuple[int, int, int, np.dtype]:
    """(H, W, C, dtype) as `read_image` would give them, without reading the pixels."""
    header = read_header(path)
    return header.height, header.width, header.channels, header.dtype


def read_labels(path: Path | str) -> np.ndarray:
    """Read instance labels from an integer TIFF or PNG; a palette is not applied, its indices are the labels.

    Returns
    -------
    (H, W) int32 array
        0 = background, 1..n = objects; values as in the file, not renumbered.

    Raises
    ------
    UserError
        Unreadable file; float, RGB, negative or too large values; a stack.
    """
    path = Path(path)
    if extension(path) not in LABEL_EXTENSIONS:
        raise UserError(f"{path}: labels must be an integer TIFF or PNG; save them as TIFF")
    plane = _decode(path, lambda reader: reader.read(path, indices=True))
    labels = plane.pixels
    if labels.shape[2] != 1:
        raise UserError(
            f"{path}: labels have {labels.shape[2]} channels (a coloured picture of them?); "
            "save one integer per pixel, 0 = background, 1..n = objects, as 16-bit TIFF"
        )
    labels = labels[:, :, 0]
    if labels.dtype.kind not in "uib":
        raise UserError(f"{path}: labels are {labels.dtype}, not integers; save them as 16-bit TIFF")
    if labels.dtype.kind == "i" and labels.size and labels.min() < 0:
        raise UserError(f"{path}: labels hold negative values; 0 is background, 1..n are objects")
    if labels.dtype.itemsize >= 4 and labels.size and int(labels.max()) > np.iinfo(np.int32).max:
        raise UserError(f"{path}: labels exceed {np.iinfo(np.int32).max}; number the objects 1..n")
    return np.ascontiguousarray(labels.astype(np.int32))


def content_hash(pixels: np.ndarray) -> str:
    """SHA-256 of an image's pixels, shape and dtype: equal for the same picture saved with another compression."""
    digest = hashlib.sha256(f"{pixels.shape} {pixels.dtype.str}".encode())
    digest.update(np.ascontiguousarray(pixels).data)
    return digest.hexdigest()


def _decode(path: Path, decode: Callable[[Any], _T]) -> _T:
    """Run a reader chosen by the file's extension; whatever a damaged file makes it raise becomes a UserError."""
    ending = extension(path)
    reader = (
        tiff if ending in TIFF_EXTENSIONS
        else raster if ending in RASTER_EXTENSIONS
        else bio if ending in bio.EXTENSIONS
        else None
    )  # fmt: skip
    if reader is None:
        raise UserError(f"{path}: not an image format that is read here; save it as TIFF, PNG or JPEG")
    if not path.is_file():
        raise UserError(f"{path}: no such file" if not path.exists() else f"{path}: not a file")
    try:
        return decode(reader)
    except UserError:
        raise
    except PermissionError as error:
        raise UserError(f"{path}: no permission to read it; change the file's permissions") from error
    except MemoryError as error:
        raise UserError(
            f"{path}: asks for more memory than there is; cut it in parts, or export it again if it is not that large"
        ) from error
    except Exception as error:  # a damaged file can raise anything: KeyError, struct.error, the codecs' own errors
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise UserError(f"{path}: unreadable or truncated ({reason}); copy or export the file again") from error
