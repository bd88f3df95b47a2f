"""Measurements of segmented objects (measurements.csv) and of images (counts.csv)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from skimage.measure import regionprops_table

SHAPE_COLUMNS = {
    "area": "area_px",
    "centroid-0": "centroid_y_px",
    "centroid-1": "centroid_x_px",
    "perimeter": "perimeter_px",
    "axis_major_length": "major_axis_px",
    "axis_minor_length": "minor_axis_px",
    "eccentricity": "eccentricity",
    "solidity": "solidity",
}
LENGTHS = ("centroid_y", "centroid_x", "perimeter", "major_axis", "minor_axis")
INTENSITIES = ("mean", "min", "max", "sum")

OUTLYING = 3.5
"""Robust z-score from which an image is flagged (Iglewicz & Hoaglin, How to detect and handle outliers, 1993)."""

CUT = "cut_objects"
"""Column of counts.csv: objects that are too large to be seen whole; see `fewstain.pixels.blocks`."""

FEWEST_TO_COMPARE = 5
"""Images below which nothing is called unusual: a median of four says little."""


def measure(
    labels: np.ndarray,
    pixels: np.ndarray,
    uncertainty: np.ndarray,
    *,
    image: str,
    pixel_size_um: float | None = None,
    classes: Mapping[int, str] | None = None,
    confidence: Mapping[int, float] | None = None,
    model_hash: str = "",
    offset: tuple[int, int] = (0, 0),
    shape: tuple[int, int] | None = None,
) -> pd.DataFrame:
    """Measure every object of a label image, or of a block of a larger one.

    Parameters
    ----------
    labels : (H, W) integers
        Instance labels, 0 = background. Of a block, only objects that lie in it whole.
    pixels : (H, W, C)
        Raw intensities, in the file's own units.
    uncertainty : (H, W) float
        Jensen–Shannon divergence, nats.
    image : str
        Name for the column `image`.
    pixel_size_um : float, optional
        Side of a pixel in µm; without it the columns in µm are empty.
    classes : mapping of label to class, optional
    confidence : mapping of label to the chance that the object is right, optional
    model_hash : str
        Which model the objects come from.
    offset : (y, x)
        Where the block's first pixel lies in the image.
    shape : (height, width), optional
        Of the whole image, to tell which objects touch its edge; by default the block is the whole.

    Returns
    -------
    pandas.DataFrame
        One row an object, ordered by label, with the columns of `measurement_columns(C)`. Centroids are image
        coordinates, 0 = centre of the first pixel. No row for an empty label image.

    Raises
    ------
    ValueError
        When the three arrays are of different height or width.
    """
    if pixels.ndim != 3 or not labels.shape == pixels.shape[:2] == uncertainty.shape:
        raise ValueError(f"labels {labels.shape}, pixels {pixels.shape}, uncertainty {uncertainty.shape} do not agree")
    names, compact = np.unique(labels, return_inverse=True)
    if not len(names) or names[0] != 0:  # no background pixel: keep 0 for it all the same
        names, compact = np.concatenate([[0], names]), compact + 1
    compact = compact.reshape(labels.shape).astype(np.int32)
    table = regionprops_table(compact, properties=("label", "bbox", *_properties()))
    own = names[table["label"]]
    columns: dict[str, Any] = {"image": image, "label": own}
    columns["class"] = [None if classes is None else classes.get(int(label)) for label in own]
    columns.update({column: table[name] for name, column in SHAPE_COLUMNS.items()})
    columns["area_px"] = columns["area_px"].astype(np.int64)
    columns["centroid_y_px"] = columns["centroid_y_px"] + offset[0]
    columns["centroid_x_px"] = columns["centroid_x_px"] + offset[1]
    size = np.nan if pixel_size_um is None else pixel_size_um
    columns["area_um2"] = columns["area_px"] * size**2
    columns.update({f"{name}_um": columns[f"{name}_px"] * size for name in LENGTHS})
    for channel in range(pixels.shape[2]):
        columns.update(_intensities(compact, pixels[..., channel], channel))
    columns["uncertainty"] = _mean(compact, uncertainty)
    columns["confidence"] = [np.nan if confidence is None else confidence.get(int(label), np.nan) for label in own]
    columns["touches_edge"] = _touches_edge(table, offset, labels.shape if shape is None else shape)
    columns["model_hash"] = model_hash
    frame = pd.DataFrame(columns, index=range(len(own)))
    return frame[measurement_columns(pixels.shape[2])]


def measurement_columns(channels: int) -> list[str]:
    """Name the columns of measurements.csv, in order, for images of so many channels."""
    return [
        *("image", "label", "class", "area_px", "area_um2"),
        *(f"{name}_{unit}" for name in LENGTHS for unit in ("px", "um")),
        *("eccentricity", "solidity"),
        *(f"intensity_{name}_{channel}" for channel in range(channels) for name in INTENSITIES),
        *("uncertainty", "confidence", "touches_edge", "model_hash"),
    ]


def count_row(
    image: str, objects: int, area_px: int, shape: tuple[int, int], mean_uncertainty: float, cut: int = 0
) -> dict[str, Any]:
    """Make an image's row of counts.csv, before `flag_images`; `area_covered` is the objects' share of the pixels."""
    return {
        "image": image,
        "objects": objects,
        "area_covered": area_px / (shape[0] * shape[1]),
        "mean_uncertainty": mean_uncertainty,
        CUT: cut,
    }


def flag_images(counts: pd.DataFrame) -> pd.DataFrame:
    """Say which images of a folder a person should look at, and why.

    An image is flagged when it is far from the folder's others (robust z-score above `OUTLYING`): more uncertain, or
    with more or fewer objects (on the square-root scale, where a count's spread does not grow with it), or when it has
    no objects and most others have. So is one with objects that could not be seen whole.

    Parameters
    ----------
    counts
        Rows of `count_row`.

    Returns
    -------
    pandas.DataFrame
        The same with `look_at_this_one` (bool) and `reason` ("" where not flagged).
    """
    uncertainty = robust_z(counts["mean_uncertainty"].to_numpy(float))
    objects = robust_z(np.sqrt(counts["objects"].to_numpy(float)))
    cut = counts[CUT].to_numpy(int) if CUT in counts else np.zeros(len(counts), int)  # older tables lack it
    empty = (counts["objects"] == 0).to_numpy() & bool((counts["objects"] > 0).mean() > 0.5)
    findings = {
        "no objects": empty,
        "unusually uncertain": uncertainty > OUTLYING,
        "unusually many objects": objects > OUTLYING,
        "unusually few objects": (objects < -OUTLYING) & ~empty,
        "objects too large to be seen whole": cut > 0,
    }
    reasons = [", ".join(name for name, found in findings.items() if found[row]) for row in range(len(counts))]
    return counts.assign(look_at_this_one=[bool(reason) for reason in reasons], reason=reasons)


def robust_z(values: np.ndarray) -> np.ndarray:
    """Distance from the median in robust standard deviations, (N,) -> (N,); 0 where there is nothing to compare.

    The standard deviation is 1.4826 times the median absolute deviation, or 1.2533 times the mean absolute deviation
    where more than half of the values are equal (Iglewicz & Hoaglin 1993). A value that is not known (NaN) gets 0, and
    the others are compared without it.
    """
    known = np.isfinite(values)
    if known.sum() < FEWEST_TO_COMPARE:
        return np.zeros(len(values))
    deviations = values - np.median(values[known])
    distances = np.abs(deviations[known])
    spread = 1.4826 * np.median(distances) or 1.2533 * np.mean(distances)
    return np.where(known, deviations / spread, 0.0) if spread > 0 else np.zeros(len(values))


def _properties() -> list[str]:
    return list(dict.fromkeys(name.partition("-")[0] for name in SHAPE_COLUMNS))


def _intensities(compact: np.ndarray, channel: np.ndarray, index: int) -> dict[str, np.ndarray]:
    """Mean, min, max and sum of one channel in objects 1..n, all in one sort of the foreground."""
    inside = compact > 0
    order = np.argsort(compact[inside], kind="stable")
    values = channel[inside][order].astype(np.float64)
    owners = compact[inside][order]
    starts = np.flatnonzero(np.diff(owners, prepend=0))
    if not len(starts):
        return {f"intensity_{name}_{index}": np.zeros(0) for name in INTENSITIES}
    sums = np.add.reduceat(values, starts)
    areas = np.diff(starts, append=len(values))
    found = (sums / areas, np.minimum.reduceat(values, starts), np.maximum.reduceat(values, starts), sums)
    return {f"intensity_{name}_{index}": column for name, column in zip(INTENSITIES, found, strict=True)}


def _mean(compact: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Mean of `values` in objects 1..n."""
    areas = np.bincount(compact.ravel())[1:]
    sums = np.bincount(compact.ravel(), values.ravel())[1:]
    return sums / areas


def _touches_edge(table: Mapping[str, np.ndarray], offset: tuple[int, int], shape: tuple[int, int]) -> np.ndarray:
    top, left, bottom, right = (table[f"bbox-{index}"] for index in range(4))
    y, x = offset
    return (top + y <= 0) | (left + x <= 0) | (bottom + y >= shape[0]) | (right + x >= shape[1])
