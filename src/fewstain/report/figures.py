"""Figures of the report: arrays in, matplotlib figures out."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage.measure import block_reduce
from skimage.segmentation import find_boundaries

from fewstain.images.normalise import Normaliser
from fewstain.images.plane import is_rgb

LARGEST = 768  # pixels of an image's longer side in a figure; larger ones are shrunk
PREDICTED, TRUE, BOTH = "#e8a000", "#0077bb", "#ffffff"
DIM = 0.1  # median brightness below which an image is shown by the square root of its intensities
UNCERTAINTY_SHOWN = 0.35  # nats, half of what an ensemble has whose halves contradict each other; one scale for all
SMOOTHED_STEPS = 100  # the loss of one batch says little: it is drawn as the mean over a 100th of the training


def to_rgb(pixels: NDArray, rgb: bool | None = None) -> NDArray[np.floating]:
    """Make raw intensities visible.

    Parameters
    ----------
    pixels
        (H, W, C) of any number type; one channel becomes grey, of several the first three become red, green and blue.
        Channels that are mostly dark are shown by their square root, or dim cells beside bright ones stay unseen.
    rgb
        Whether the file says that these are colours; where that is not known, three channels of 8 bits are.

    Returns
    -------
    ndarray
        (H, W, 3) float32 in [0, 1].
    """
    joint = is_rgb(pixels.shape[2], pixels.dtype, rgb)
    planes: NDArray[np.floating] = (Normaliser(joint=joint).apply(pixels[..., :3]) + 1) / 2
    if not joint:
        planes = np.stack([np.sqrt(plane) if np.median(plane) < DIM else plane for plane in planes])
    if len(planes) == 1:
        planes = np.repeat(planes, 3, axis=0)
    if len(planes) == 2:
        planes = np.concatenate([planes, np.zeros_like(planes[:1])])
    return np.moveaxis(planes, 0, -1)


def shrink_step(shape: tuple[int, int], largest: int = LARGEST) -> int:
    """By which whole number an (H, W) image is shrunk to fit a figure."""
    return max(1, -(-max(shape) // largest))


def segmentation_figure(
    pixels: NDArray,
    predicted: NDArray[np.integer],
    uncertainty: NDArray[np.floating],
    truth: NDArray[np.integer] | None = None,
    title: str = "",
    rgb: bool | None = None,
) -> Figure:
    """Draw an image | the same with outlines of its objects | its uncertainty.

    Parameters
    ----------
    pixels
        (H, W, C) raw intensities.
    predicted, truth
        (H, W) instance labels, 0 = background. Predicted outlines are amber, true ones blue, white where both agree.
    uncertainty
        (H, W) Jensen-Shannon divergence, nats.
    title
        Above the figure.
    rgb
        As of `to_rgb`.
    """
    step = shrink_step(predicted.shape)
    small = block_reduce(pixels, (step, step, 1), np.mean).astype(pixels.dtype) if step > 1 else pixels
    shown_image = to_rgb(small, rgb)
    height, width = shown_image.shape[:2]
    panel = 4.2
    figure = Figure(figsize=(3 * panel + 0.8, panel * height / width + 0.7), dpi=100, layout="constrained")
    image, outlined, uncertain = figure.subplots(1, 3)
    image.imshow(shown_image)
    _titled(image, "image")
    outlined.imshow(0.75 * shown_image)
    found = _outlines(predicted, step)
    marks = found.astype(int)
    if truth is not None:
        drawn = _outlines(truth, step)
        marks = marks + 2 * drawn
    outlined.imshow(
        np.ma.masked_equal(marks, 0),
        cmap=ListedColormap([PREDICTED, TRUE, BOTH]),
        vmin=1,
        vmax=3,
        interpolation="nearest",
    )
    n = len(np.unique(predicted[predicted > 0]))
    told = f"{n} found (amber)"
    if truth is not None:
        told += f", {len(np.unique(truth[truth > 0]))} drawn (blue), white: both"
    _titled(outlined, told)
    shown = uncertain.imshow(uncertainty[::step, ::step], cmap="magma", vmin=0, vmax=UNCERTAINTY_SHOWN)
    _titled(uncertain, "uncertainty, nats")
    figure.colorbar(shown, ax=uncertain, fraction=0.046, pad=0.02, extend="max")
    figure.suptitle(title, fontsize=11)
    return figure


def loss_figure(steps: Sequence[int], losses: Sequence[float]) -> Figure:
    """Draw the denoiser's training loss, (N,) steps and (N,) mean squared errors, smoothed; both axes logarithmic."""
    values, at = np.asarray(losses, float), np.asarray(steps, float)
    width = max(1, len(values) // SMOOTHED_STEPS)
    used = len(values) // width * width
    figure = Figure(figsize=(7, 4), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.plot(at, values, color="0.85", linewidth=0.6, label="each step")
    mean = values[:used].reshape(-1, width).mean(1)
    axes.plot(at[:used].reshape(-1, width).mean(1), mean, color="#0077bb", label=f"mean of {width}")
    axes.set(xlabel="step", ylabel="loss (mean squared error of the noise)", xscale="log", yscale="log")
    axes.legend(frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return figure


def samples_figure(grid: NDArray) -> Figure:
    """Show a grid of painted images, (H, W) or (H, W, 3) uint8, at its own resolution or larger."""
    figure = Figure(figsize=(6, 6 * grid.shape[0] / grid.shape[1]), dpi=110, layout="constrained")
    axes = figure.subplots()
    axes.imshow(grid, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
    return figure


def _outlines(labels: NDArray[np.integer], step: int) -> NDArray[np.bool_]:
    """(h, w) outermost pixels of each object, of the shrunk image."""
    return find_boundaries(labels[::step, ::step], mode="inner")


def _titled(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=10)
    axes.set_axis_off()
