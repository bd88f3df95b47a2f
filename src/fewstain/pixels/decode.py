"""From pixel maps to instances: one pure function and its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction, remove_small_objects
from skimage.segmentation import watershed

SMALLEST_SIGMA = 0.5  # pixels; a Gaussian of less than half of it changes no pixel by 0.1 %
SIGMAS_PER_OCTAVE = 2
UNSMOOTHED = -1
LARGEST_HOLE = 0.25  # of the area of the largest object: what is larger may be background that objects enclose


@dataclass(frozen=True)
class DecoderParameters:
    """What the decoder may be tuned in.

    Attributes
    ----------
    foreground_threshold
        Pixels whose probability of being in an object is above this are in one.
    smoothing
        Standard deviation of the Gaussian that smooths the seed map, as a share of the objects' own radius.
    h
        How far a seed must rise above its surroundings (h-maxima), in units of the seed map, [0, 1].
    boundary_weight
        How much the probability of a boundary lowers the seed map.
    shape_weight
        Share of the foreground's own distance transform in the seed map; the rest is the predicted distance.
    min_area
        Smaller objects are dropped, pixels.
    max_radius
        Largest radius an object of this stain has, pixels; bounds the smoothing where objects have grown together.
    """

    foreground_threshold: float = 0.5
    smoothing: float = 0.15
    h: float = 0.1
    boundary_weight: float = 0.0
    shape_weight: float = 0.3
    min_area: float = 10.0
    max_radius: float = 20.0


def decode(
    foreground: NDArray[np.floating],
    boundary: NDArray[np.floating],
    distance: NDArray[np.floating],
    parameters: DecoderParameters,
) -> NDArray[np.int32]:
    """Split the foreground into objects by a watershed from the h-maxima of a seed map.

    The seed map mixes the predicted distance, the foreground's own distance transform and the boundaries, and is
    smoothed in proportion to the radius of the component it lies in: with fixed seeds large nuclei fall to pieces.

    Parameters
    ----------
    foreground, boundary
        (H, W) probabilities of lying in an object, its boundary included, and on its boundary.
    distance
        (H, W) normalised distance to the object's border, [0, 1].
    parameters
        See `DecoderParameters`.

    Returns
    -------
    ndarray
        (H, W) int32 labels 1..n, 0 = background; without holes, but for background that several objects enclose.
    """
    return decode_each(foreground, boundary, distance, [parameters])[0]


def decode_each(
    foreground: NDArray[np.floating],
    boundary: NDArray[np.floating],
    distance: NDArray[np.floating],
    parameter_sets: Sequence[DecoderParameters],
) -> list[NDArray[np.int32]]:
    """Decode one image with each of several parameter sets; those of one threshold share the components it has.

    Takes the planes of `decode`, and returns what it would for each set.
    """
    known: dict[tuple[float, float], Components] = {}
    found = []
    for parameters in parameter_sets:
        key = parameters.foreground_threshold, parameters.max_radius
        if key not in known:
            known[key] = find_components(foreground, *key)
        found.append(_split_components(known[key], boundary, distance, parameters))
    return found


@dataclass(frozen=True)
class Components:
    """The connected components of a foreground without its holes.

    Attributes
    ----------
    numbers
        (H, W) 1..count, 0 = background.
    count
        Of components.
    enclosed
        (H, W) bool, background that objects enclose: holes too large to be filled at once.
    radius
        (count + 1,) largest depth in each component, pixels, from 1 to the largest radius of an object; 0 = background.
    shape
        (H, W) depth over that radius, [0, 1].
    """

    numbers: NDArray[np.int32]
    count: int
    enclosed: NDArray[np.bool_]
    radius: NDArray[np.float64]
    shape: NDArray[np.float64]


def find_components(foreground: NDArray[np.floating], threshold: float, max_radius: float) -> Components:
    """Threshold a foreground (H, W) and fill its holes; see `DecoderParameters`."""
    mask = foreground > threshold
    holes = ndimage.binary_fill_holes(mask) & ~mask
    enclosed = remove_small_objects(holes, max_size=int(LARGEST_HOLE * np.pi * max_radius**2))
    mask |= holes & ~enclosed
    numbers, count = ndimage.label(mask)
    depth = np.full(mask.shape, np.inf) if mask.all() else ndimage.distance_transform_edt(mask)
    radius = np.zeros(count + 1)
    np.maximum.at(radius, numbers.ravel(), depth.ravel())
    radius = np.clip(radius, 1.0, max(max_radius, 1.0))
    return Components(numbers, count, enclosed, radius, np.minimum(depth / radius[numbers], 1.0))


def _split_components(
    found: Components,
    boundary: NDArray[np.floating],
    distance: NDArray[np.floating],
    parameters: DecoderParameters,
) -> NDArray[np.int32]:
    """Split components into objects; see `decode`."""
    if found.count == 0:
        return np.zeros(found.numbers.shape, np.int32)
    mask = found.numbers > 0
    seed_map = (1 - parameters.shape_weight) * distance + parameters.shape_weight * found.shape
    seed_map = np.clip(seed_map - parameters.boundary_weight * boundary, 0.0, None) * mask
    seed_map = _smooth(seed_map, found.numbers, parameters.smoothing * found.radius) * mask
    labels = _split(seed_map, found.numbers, found.count, parameters.h)
    return _drop_small(_fill(labels, found.enclosed), parameters.min_area)


def _smooth(seed_map: NDArray, components: NDArray, sigmas: NDArray) -> NDArray:
    """Smooth each component with (about) its own sigma: the nearest of a geometric grid, 0.5, 0.71, 1, 1.41, ...

    The grid is fixed, so that an object is smoothed alike whatever else lies in the image, or in its block of one.
    """
    octaves = np.log2(np.maximum(sigmas, SMALLEST_SIGMA / 2) / SMALLEST_SIGMA)
    steps = np.round(SIGMAS_PER_OCTAVE * octaves).astype(np.int64)
    step_of = np.where(sigmas < SMALLEST_SIGMA / 2, UNSMOOTHED, np.maximum(steps, 0))
    step_of[0] = UNSMOOTHED
    smoothed = seed_map
    for step in np.unique(step_of[step_of != UNSMOOTHED]):
        sigma = SMALLEST_SIGMA * 2 ** (step / SIGMAS_PER_OCTAVE)
        smoothed = np.where((step_of == step)[components], ndimage.gaussian_filter(seed_map, sigma), smoothed)
    return smoothed


def _split(seed_map: NDArray, components: NDArray, n_components: int, h: float) -> NDArray[np.int32]:
    """Split each component by a watershed from its h-maxima; one whose maxima all stay below h is a single object."""
    peaks, _ = ndimage.label(local_maxima(seed_map) & (components > 0), structure=np.ones((3, 3)))
    pairs = np.unique(np.stack([components[peaks > 0], peaks[peaks > 0]]), axis=1)
    several = np.bincount(pairs[0], minlength=n_components + 1) > 1  # the others, mostly the most, need no watershed
    labels = np.where(several[components], 0, components).astype(np.int32)
    count = n_components
    boxes = ndimage.find_objects(components)
    for component in np.flatnonzero(several):
        box = boxes[component - 1]
        own = components[box] == component
        hills = np.where(own, seed_map[box], 0.0)
        seeds, n_seeds = ndimage.label(_h_maxima(hills, h) & own, structure=np.ones((3, 3)))
        objects = watershed(-hills, seeds, mask=own) if n_seeds > 1 else own.astype(np.int32)
        labels[box][own] = objects[own] + count
        count += max(n_seeds, 1)
    return labels


def _h_maxima(hills: NDArray, h: float) -> NDArray[np.bool_]:
    """Find them by their definition (Soille 2003, section 6.3.3).

    skimage's `h_maxima` takes equally high maxima apart, however shallow.
    """
    return local_maxima(reconstruction(hills - max(h, 1e-3), hills, method="dilation"))


def _fill(labels: NDArray[np.int32], enclosed: NDArray[np.bool_]) -> NDArray[np.int32]:
    """Fill those of the enclosed regions that a single object encloses."""
    regions, n_regions = ndimage.label(enclosed)
    for region, box in enumerate(ndimage.find_objects(regions, n_regions), start=1):
        # a region touches no edge of the image, so there is a row and a column more on each side
        around = tuple(slice(side.start - 1, side.stop + 1) for side in box)
        inside = regions[around] == region
        owners = np.unique(labels[around][ndimage.binary_dilation(inside) & ~inside])
        if len(owners) == 1:
            labels[around][inside] = owners[0]
    return labels


def _drop_small(labels: NDArray, min_area: float) -> NDArray[np.int32]:
    """Drop objects below `min_area` and number the rest 1..n."""
    areas = np.bincount(labels.ravel())
    keep = areas >= max(min_area, 1)
    keep[0] = False
    renumbered = np.cumsum(keep) * keep
    return renumbered[labels].astype(np.int32)
