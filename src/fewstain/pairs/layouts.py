"""Layouts of objects: a denoiser of their planes, learned from masks, and what it samples, decoded to instances."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from skimage.measure import block_reduce
from skimage.measure import label as connected
from skimage.segmentation import clear_border
from torch import Tensor
from torch.nn import functional

from fewstain.diffusion.draws import starting_noise
from fewstain.diffusion.network import Denoiser
from fewstain.diffusion.pictures import open_denoiser
from fewstain.diffusion.sampling import noise_shape, sample
from fewstain.errors import UserError
from fewstain.layout import layout_planes, numbered
from fewstain.pixels.decode import DecoderParameters, decode
from fewstain.storage import read_json, write_json

FACTS_FILE = "layouts.json"
METHOD = "ddim"
MOST_SMOOTHED = 1.0  # standard deviation of the Gaussian that sampled planes are smoothed by, pixels of the planes
SMOOTHED = 1 / 20  # of the objects' radius, where that is less
SHRUNK = 2  # pixels of an image to one of the planes that are learned: outlines are smooth, and noise costs less


@dataclass(frozen=True)
class LayoutFacts:
    """layouts.json: what the layouts that were learned from look like.

    Attributes
    ----------
    smallest, largest
        Areas of objects that 1 % are below and above, pixels, of those that no image's edge cuts.
    radius
        Largest of 99 % of the objects, as of a disc of the same area, pixels.
    covered
        Mean share of an image that objects cover.
    most_covered
        The largest one.
    objects
        How many there were.
    """

    smallest: float
    largest: float
    radius: float
    covered: float
    most_covered: float
    objects: int

    @property
    def decoder(self) -> DecoderParameters:
        """How sampled planes become objects.

        Of perfect planes of 12 labeled windows, these gave a PQ of 0.94 (histology) and 0.97 (fluorescence), best
        of 7 sets; of smoothed ones (see `upsampled`) 0.88 and 0.89.
        """
        return DecoderParameters(
            foreground_threshold=0.5,
            smoothing=0.1,
            h=0.1,
            boundary_weight=0.5,
            shape_weight=0.2,
            min_area=self.smallest / 2,
            max_radius=self.radius,
        )

    @property
    def smoothing(self) -> float:
        """Standard deviation of the Gaussian that sampled planes are smoothed by, pixels of the planes."""
        return min(MOST_SMOOTHED, SMOOTHED * self.radius)

    def write(self, folder: Path) -> None:
        """Write `folder`/layouts.json."""
        write_json(folder / FACTS_FILE, asdict(self))


def layout_facts(layouts: Sequence[NDArray[np.integer]]) -> LayoutFacts:
    """Measure label images (H, W).

    Raises
    ------
    UserError
        If there is no object in any of them.
    """
    layouts = [numbered(labels)[0] for labels in layouts]
    areas = [np.bincount(labels.ravel())[1:] for labels in layouts]
    whole = [np.bincount(clear_border(labels).ravel())[1:] for labels in layouts]
    every = np.concatenate([each[each > 0] for each in areas])
    inner = np.concatenate([each[each > 0] for each in whole])
    if not len(every):
        raise UserError("no objects in any of the masks to learn layouts from; look at them, and label more windows")
    measured = inner if len(inner) else every
    shares = [np.count_nonzero(labels) / labels.size for labels in layouts]
    smallest, largest = np.quantile(measured, [0.01, 0.99])
    radius = float(np.sqrt(largest / np.pi))
    return LayoutFacts(
        float(smallest), float(largest), radius, float(np.mean(shares)), float(np.max(shares)), len(every)
    )


def read_facts(folder: Path) -> LayoutFacts:
    """Read `folder`/layouts.json; UserError where it is missing or damaged."""
    try:
        return LayoutFacts(**read_json(folder / FACTS_FILE))
    except TypeError as fault:
        raise UserError(f"{folder / FACTS_FILE}: damaged ({fault}); run train-painter again") from fault


@dataclass(frozen=True)
class LayoutModel:
    """A denoiser of layout planes, on the device to compute on, with the facts it was learned from."""

    denoiser: Denoiser
    facts: LayoutFacts

    def sample(self, numbers: Sequence[int], size: tuple[int, int], seed: int, steps: int) -> list[NDArray[np.int32]]:
        """Sample layouts (H, W), each a function of (seed, number); labels are 1..n, 0 = background."""
        small = (size[0] // SHRUNK, size[1] // SHRUNK)
        noise = starting_noise(seed, numbers, noise_shape(self.denoiser, small))
        planes = sample(
            self.denoiser, len(numbers), small, steps=steps, seed=seed, method=METHOD, noise=noise,
            batch_size=len(numbers),
        )  # fmt: skip
        return [decode_planes(each, self.facts.decoder) for each in upsampled(planes, size, self.facts.smoothing)]

    @property
    def multiple(self) -> int:
        """Height and width of a layout must be multiples of this many pixels."""
        return SHRUNK * self.denoiser.multiple


def open_layouts(folder: Path) -> LayoutModel:
    """Read a denoiser of layouts; UserError where there is none, or its weights are damaged."""
    facts = read_facts(folder)
    denoiser, _ = open_denoiser(folder)
    return LayoutModel(denoiser, facts)


def learned_planes(labels: NDArray[np.integer]) -> NDArray[np.float32]:
    """Make of labels (H, W) what a denoiser of layouts learns: planes (3, H / 2, W / 2) in [-1, 1], means of blocks."""
    height, width = (max(side // SHRUNK, 1) * SHRUNK for side in labels.shape)
    planes = layout_planes(labels)[:, :height, :width]
    return np.asarray(block_reduce(planes, (1, SHRUNK, SHRUNK), np.mean) * 2 - 1, np.float32)


def upsampled(planes: Tensor, size: tuple[int, int], sigma: float) -> Tensor:
    """Smooth sampled planes (n, 3, h, w), for a network trained shortly leaves noise in them, and enlarge to (H, W)."""
    smooth = ndimage.gaussian_filter(planes.numpy(), (0, 0, sigma, sigma), mode="nearest")
    return functional.interpolate(torch.from_numpy(smooth), size, mode="bilinear", align_corners=False)


def decode_planes(planes: Tensor, parameters: DecoderParameters) -> NDArray[np.int32]:
    """Decode layout planes (3, H, W) in [-1, 1] to labels (H, W); each object is in one piece."""
    foreground, boundary, distance = (planes.double().numpy() + 1) / 2
    labels = decode(foreground, boundary, distance, parameters)
    # a watershed's basins are connected by edges and corners; what hangs on by a corner only is cut off
    pieces = connected(labels, connectivity=1)
    areas = np.bincount(pieces.ravel())
    keep = areas >= max(parameters.min_area, 1)
    keep[0] = False
    return ((np.cumsum(keep) * keep)[pieces]).astype(np.int32)
