"""What every file format is read into: one plane with named channels, or its header alone."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from fewstain.errors import UserError

SQUARE_TO = 0.01  # pixels whose sides differ by less are square: calibrations and resolution tags are rounded


@dataclass(frozen=True)
class Header:
    """Size and kind of one image; `notes` tell what was changed on the way from the file.

    `pixel_size_um` is the side of a pixel, None where the file does not tell, or where pixels are not square: then
    `oblong_um` has their height and width. `rgb` is whether the file says that its three channels are red, green and
    blue of one picture, and not, for instance, three fluorophores.
    """

    height: int
    width: int
    channels: int
    dtype: np.dtype
    pixel_size_um: float | None = None
    notes: tuple[str, ...] = ()
    oblong_um: tuple[float, float] | None = None
    rgb: bool = False

    def sized(self, height_um: float | None, width_um: float | None) -> Header:
        """Return the same header with the size of a pixel; a height that is not known is taken to be the width."""
        if width_um and height_um and abs(height_um / width_um - 1) > SQUARE_TO:
            return replace(self, pixel_size_um=None, oblong_um=(height_um, width_um))
        return replace(self, pixel_size_um=width_um or None, oblong_um=None)

    def noted(self, note: str) -> Header:
        """Return the same header with one more note."""
        return replace(self, notes=(*self.notes, note))


@dataclass(frozen=True)
class Plane:
    """`pixels` (H, W, C) with the header that describes them."""

    pixels: np.ndarray
    header: Header


def is_rgb(channels: int, dtype: np.dtype, told: bool | None = None) -> bool:
    """Whether pixels are treated as colours: three channels of 8 bits, unless their file told that they are not RGB.

    Parameters
    ----------
    told
        `Header.rgb` of the file; None where nobody knows.
    """
    return channels == 3 and dtype == np.uint8 and told is not False


def plane_axes(path: object, axes: str, shape: tuple[int, ...]) -> tuple[str, tuple[int, ...]]:
    """Check that an image of named axes is one plane.

    Parameters
    ----------
    path : Path
        For the message.
    axes : str
        One letter an axis, as tifffile names them: Y, X, C channel, S colour sample, Z, T, I or Q unnamed, ...
    shape : tuple of int

    Returns
    -------
    axes, shape
        Without axes of length one, other than Y and X; axes is a permutation of "YX", "CYX" or "SYX".

    Raises
    ------
    UserError
        Z or time stacks, several colour images, axes without names.
    """
    if "Y" not in axes or "X" not in axes:
        raise UserError(f"{path}: no image in it (axes {axes}); save it as a two-dimensional TIFF")
    kept = [(axis, size) for axis, size in zip(axes, shape, strict=True) if axis in "YX" or size > 1]
    axes, shape = "".join(axis for axis, _ in kept), tuple(size for _, size in kept)
    for axis, name in (("Z", "a Z stack"), ("T", "a time stack")):
        if axis in axes:
            count = shape[axes.index(axis)]
            raise UserError(f"{path}: {name} of {count} planes; project or choose a plane and save that")
    others = [axis for axis in axes if axis not in "YX"]
    if len(others) > 1:
        raise UserError(f"{path}: axes {axes} {shape}; save one plane with channels (CYX) or one RGB image")
    if others and others[0] not in "CS":
        unnamed = axes.index(others[0])
        # (H, W, C) written by a library that names no axes comes as "QYX": nobody's image is that narrow.
        if unnamed == 0 and shape[-1] <= 8 < min(shape[:-1]):
            return "YXC", shape
        raise UserError(
            f"{path}: a stack of {shape[unnamed]} planes that does not say whether they are channels, Z or time; "
            "project or choose a plane, or save channels as OME-TIFF or ImageJ hyperstack"
        )
    return axes, shape
