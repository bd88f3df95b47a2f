"""The files of one image -> napari's layer data tuples (data, properties, type); napari itself is not needed."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fewstain.dataset import list_files
from fewstain.errors import UserError
from fewstain.images.plane import is_rgb
from fewstain.images.read import read_header, read_image, read_labels, stem
from fewstain.suggest import Suggestion
from fewstain.viewer.pyramid import LARGEST, open_levels
from fewstain.viewer.study import Study

LayerData = tuple[Any, dict[str, Any], str]

KEY = "fewstain"
"""Under this key a layer's metadata say what it is: {"kind", "image", "file"}."""
_COLOURS = ("gray", "green", "magenta", "cyan", "yellow", "red", "blue")
_CONTRAST = (1.0, 99.0)  # percentiles; a few bright cells must not leave all others in the dark
_LOOKED_AT = 1024 * 1024  # pixels of an uncertainty map by which its contrast is set


def image_of(study: Study, name: str) -> list[LayerData]:
    """Make all layers of one image: the image, its uncertainty (hidden), masks, corrected masks, and labels.

    Parameters
    ----------
    study
        Where the files are.
    name
        Stem of the image.

    Raises
    ------
    UserError
        No such image, or a file that cannot be read.
    """
    layers = image_layers(study.image(name), name)
    if path := study.uncertainty(name):
        layers.append(uncertainty_layer(path, name))
    if path := study.mask(name):
        layers.append(_labels(read_labels(path), f"{name} masks", "masks", name, path))
    if study.results and study.corrected(name).is_file():
        path = study.corrected(name)
        layers[-1][1]["visible"] = False
        layers.append(_labels(read_labels(path), f"{name} corrected", "corrected", name, path))
    for window in study.labels_of(name):
        layer = _labels(read_labels(window.labels), window.name, "labels", name, window.labels)
        layer[1].update(translate=(window.y, window.x), visible=not study.mask(name))
        layers.append(layer)
    return layers


def image_layers(path: Path, name: str) -> list[LayerData]:
    """Make the image: one layer for grey and RGB, one a channel otherwise; large files are read as they are shown."""
    header = read_header(path)
    if header.height * header.width * header.channels > LARGEST:
        levels = open_levels(path)
        if levels is not None:
            return pyramid_layers(levels, name, path, header.rgb)
    meta = _meta("image", name, path)
    return _channels(read_image(path).pixels, name, meta, header.rgb)


def pyramid_layers(levels: Sequence[Any], name: str, path: Path, rgb: bool | None = None) -> list[LayerData]:
    """Make the image out of lazily read levels of (H, W, C), finest first; `rgb` is what its file says, if it does."""
    meta = _meta("image", name, path) | {"multiscale": True}
    channels = levels[0].shape[2]
    if is_rgb(channels, levels[0].dtype, rgb):
        return [(list(levels), {"name": name, "rgb": True, **meta}, "image")]
    layers: list[LayerData] = []
    for channel in range(channels):
        planes = [level[..., channel] for level in levels]
        layers.append((planes, _channel(name, channel, channels, np.asarray(planes[-1])) | meta, "image"))
    return layers


def uncertainty_layer(path: Path, name: str) -> LayerData:
    """Make the map of Jensen–Shannon divergence, nats, in a perceptually uniform colormap, hidden at first.

    Large maps are read as they are shown. The brightest colour is the 99.9th percentile of pixels spread over the map,
    `_LOOKED_AT` of them or fewer where it is larger.
    """
    header = read_header(path)
    levels = open_levels(path) if header.height * header.width > LARGEST else None
    planes = [level[..., 0] for level in levels] if levels else [read_image(path).pixels[..., 0]]
    step = math.ceil(math.sqrt(math.prod(planes[-1].shape) / _LOOKED_AT))
    seen = np.asarray(planes[-1][::step, ::step])
    properties: dict[str, Any] = {
        "name": f"{name} uncertainty",
        "colormap": "inferno",
        "contrast_limits": (0.0, max(float(np.percentile(seen, 99.9)), 1e-6)),
        "blending": "translucent",  # additive would be lost on the white of a stained section
        "opacity": 0.7,
        "visible": False,
    }
    properties |= _meta("uncertainty", name, path)
    return (planes, properties | {"multiscale": True}, "image") if levels else (planes[0], properties, "image")


def window_layers(window: Suggestion, labels: NDArray[np.int32], file: Path | None) -> list[LayerData]:
    """Make a window to draw in: its whole image, a frame around the window, and its labels, (H, W), last."""
    name = stem(window.image)
    meta = {"kind": "window", "image": name, "file": str(file or "")}
    properties: dict[str, Any] = {
        "name": window.name,
        "translate": (window.y, window.x),
        "opacity": 0.5,
        "metadata": {KEY: meta},
    }
    height, width = labels.shape
    corners = np.array([[0, 0], [0, width], [height, width], [height, 0]]) - 0.5 + (window.y, window.x)
    frame: dict[str, Any] = {
        "name": "window",
        "shape_type": "polygon",
        "face_color": "transparent",
        "edge_color": "yellow",
        "edge_width": 1,
        "metadata": {KEY: meta | {"kind": "frame"}},
    }
    return [*image_layers(window.image, name), ([corners], frame, "shapes"), (labels, properties, "labels")]


def pair_layers(folder: Path) -> list[LayerData]:
    """Make synthetic pairs: a stack of images, one a channel where they are not RGB, and one of labels, with a slider.

    Parameters
    ----------
    folder
        results/<dataset>/pairs, with images/ and labels/.

    Raises
    ------
    UserError
        No pairs, a label missing, or pairs of different sizes.
    """
    labels = {stem(path): path for path in list_files(folder / "labels")}
    images = {stem(path): path for path in list_files(folder / "images")}
    names = sorted(set(images) & set(labels))
    if not names:
        raise UserError(f"{folder}: no pairs in it; make some with `fewstain pairs`")
    pixels = [read_image(images[name]).pixels for name in names]
    masks = [read_labels(labels[name]) for name in names]
    if len({each.shape for each in pixels}) > 1 or len({each.shape for each in masks}) > 1:
        raise UserError(f"{folder}: pairs of different sizes; open images/ and labels/ one by one")
    meta = _meta("pairs", "", folder)
    return [
        *_channels(np.stack(pixels), "synthetic images", meta),
        (np.stack(masks), {"name": "synthetic labels", "opacity": 0.4, **meta}, "labels"),
    ]


def is_pairs(folder: Path) -> bool:
    """Whether a folder holds synthetic pairs."""
    return (folder / "pairs.csv").is_file() and (folder / "images").is_dir() and (folder / "labels").is_dir()


def told(metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Read what a layer's metadata say of it; empty for layers of other origin."""
    own = metadata.get(KEY)
    return own if isinstance(own, Mapping) else {}


def pixels_of(layers: Sequence[LayerData]) -> Any:
    """Give the pixels (H, W, C) of the image among the layers of `image_of`, lazily where they are."""
    planes = [each for each in layers if told(each[1]["metadata"]).get("kind") == "image"]
    finest = [_finest(each) for each in planes]
    if planes[0][1].get("rgb"):
        return finest[0]
    return Channels(finest)


def uncertainty_of(layers: Sequence[LayerData]) -> Any:
    """Give the map (H, W) among the layers of `image_of`, lazily where it is; None without one."""
    kinds = {told(each[1]["metadata"]).get("kind"): each for each in layers}
    return _finest(kinds["uncertainty"]) if "uncertainty" in kinds else None


def mask_of(layers: Sequence[LayerData]) -> int | None:
    """Tell which of the layers of `image_of` is the corrected mask, or else the predicted one; None without either."""
    kinds = {told(properties["metadata"]).get("kind"): place for place, (_, properties, _) in enumerate(layers)}
    return kinds.get("corrected", kinds.get("masks"))


def _finest(layer: LayerData) -> Any:
    return layer[0][0] if layer[1].get("multiscale") else layer[0]


class Channels:
    """Planes (H, W) that are sliced together into (h, w, C)."""

    def __init__(self, planes: Sequence[Any]) -> None:
        self._planes = planes

    def __getitem__(self, box: tuple[slice, slice]) -> NDArray:
        """Read a box of every plane."""
        return np.stack([np.asarray(plane[box]) for plane in self._planes], axis=-1)


def _labels(labels: NDArray[np.int32], title: str, kind: str, image: str, path: Path) -> LayerData:
    return labels, {"name": title, "opacity": 0.5} | _meta(kind, image, path), "labels"


def _meta(kind: str, image: str, path: Path) -> dict[str, Any]:
    return {"metadata": {KEY: {"kind": kind, "image": image, "file": str(path)}}}


def _channels(pixels: NDArray, name: str, meta: dict[str, Any], rgb: bool | None = None) -> list[LayerData]:
    """Make one layer of pixels (..., C) that are RGB, otherwise one a channel."""
    count = pixels.shape[-1]
    if is_rgb(count, pixels.dtype, rgb):
        return [(pixels, {"name": name, "rgb": True, **meta}, "image")]
    return [
        (pixels[..., channel], _channel(name, channel, count, pixels[..., channel]) | meta, "image")
        for channel in range(count)
    ]


def _channel(name: str, channel: int, channels: int, pixels: NDArray) -> dict[str, Any]:
    low, high = (float(value) for value in np.percentile(pixels, _CONTRAST))
    title = name if channels == 1 else f"{name} channel {channel}"
    colour = "gray" if channels == 1 else _COLOURS[1:][channel % (len(_COLOURS) - 1)]
    limits = (low, high) if high > low else (low, low + 1)
    return {"name": title, "colormap": colour, "contrast_limits": limits, "blending": "additive"}
