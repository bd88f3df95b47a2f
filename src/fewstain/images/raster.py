"""PNG and JPEG files."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image as Pillow

from fewstain.errors import UserError
from fewstain.images.plane import Header, Plane

_ALPHA_MODES = {"LA": "L", "RGBA": "RGB", "PA": "P", "La": "L", "RGBa": "RGB"}
_PNG_SAMPLES = {0: 1, 2: 3, 4: 2, 6: 4}  # PNG colour type -> samples a pixel
_GREY = 0  # PNG colour type
_STRETCH = {2: 85, 4: 17}  # bits of a grey PNG -> by what Pillow multiplies its values, so that the largest is 255


def header(path: Path) -> Header:
    """Read the header of a PNG or JPEG; see `images.read.read_header`."""
    deep = _deep_png(path)
    with _open(path) as image:
        width, height = image.size
        if deep:
            return _sixteen_bit_header(height, width, deep)
        alpha = image.mode in _ALPHA_MODES or "transparency" in image.info
        mode = _target_mode(path, image)
        rgb = mode == "RGB"
        dtype = np.dtype(np.uint16 if mode == "I;16" else np.uint8)
        head = Header(height, width, 3 if rgb else 1, dtype, rgb=rgb)
        return head.noted("alpha channel dropped") if alpha else head


def read(path: Path, indices: bool = False) -> Plane:
    """Read all pixels of a PNG or JPEG; `indices` keeps a palette's indices (labels) instead of its colours."""
    deep = _deep_png(path)
    if deep:
        with _open(path) as image:
            image.load()  # Pillow keeps 8 of 16 bits, but tells truncated files
        pixels = imagecodecs.png_decode(path.read_bytes())
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        head = _sixteen_bit_header(pixels.shape[0], pixels.shape[1], deep)
        return Plane(pixels[:, :, : head.channels], head)
    head = header(path)
    with _open(path) as image:
        if indices and image.mode == "P":
            pixels = np.asarray(image)
        elif image.mode in ("I;16", "I;16B", "I"):
            pixels = np.asarray(image).astype(np.uint16)
        elif image.mode == "1" and indices:
            pixels = np.asarray(image).astype(np.uint8)
        else:
            pixels = np.asarray(image.convert(_target_mode(path, image)))
            depth, colour = _png_kind(path)
            if indices and colour == _GREY:
                pixels = pixels // _STRETCH.get(depth, 1)
    return Plane(pixels if pixels.ndim == 3 else pixels[..., None], head)


def _open(path: Path) -> Pillow.Image:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)  # large images are our daily bread
        try:
            image = Pillow.open(path, formats=("PNG", "JPEG"))
        except Pillow.DecompressionBombError:
            raise UserError(f"{path}: more than 178 million pixels in a PNG or JPEG; save it as tiled TIFF") from None
    if getattr(image, "n_frames", 1) > 1:
        image.close()
        raise UserError(f"{path}: an animation of several frames; choose a frame and save that")
    return image


def _target_mode(path: Path, image: Pillow.Image) -> str:
    """L, RGB or I;16: what an image of this mode is read as."""
    mode = _ALPHA_MODES.get(image.mode, image.mode)
    if mode in ("L", "1"):
        return "L"
    if mode in ("I;16", "I;16B", "I"):
        return "I;16"
    if mode == "P":
        palette = np.asarray(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
        return "L" if (palette == palette[:, :1]).all() else "RGB"
    if mode in ("RGB", "YCbCr"):
        return "RGB"
    raise UserError(f"{path}: {image.mode} colours; save it as grey or RGB")


def _deep_png(path: Path) -> int:
    """Count the samples a pixel of a 16-bit PNG with colour or alpha, which Pillow would cut to 8 bits; else 0."""
    depth, colour = _png_kind(path)
    return _PNG_SAMPLES.get(colour, 0) if depth == 16 and colour != _GREY else 0


def _png_kind(path: Path) -> tuple[int, int]:
    """Bits of a sample, and colour type; (0, 0) where the file is no PNG."""
    with path.open("rb") as file:
        start = file.read(26)
    if len(start) < 26 or start[:8] != b"\x89PNG\r\n\x1a\n":
        return 0, 0
    depth, colour = struct.unpack(">BB", start[24:26])
    return depth, colour


def _sixteen_bit_header(height: int, width: int, samples: int) -> Header:
    channels = samples - 1 if samples in (2, 4) else samples
    head = Header(height, width, channels, np.dtype(np.uint16), rgb=channels == 3)
    return head.noted("alpha channel dropped") if samples in (2, 4) else head
