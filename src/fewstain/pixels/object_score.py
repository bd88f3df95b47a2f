"""How likely a proposed object is right: learned from what was proposed on held-out windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import expit
from skimage.measure import regionprops_table
from skimage.segmentation import find_boundaries
from sklearn.linear_model import LogisticRegression

Maps = tuple[NDArray[np.floating], NDArray[np.floating], NDArray[np.floating]]  # foreground, boundary and distance

SHAPE_AND_MAPS = (
    "log area",
    "solidity",
    "eccentricity",
    "circularity",
    "foreground",
    "boundary",
    "distance",
    "highest distance",
    "boundary at its rim",
    "foreground at its rim",
    "boundary in its core",
    "foreground in its core",
)
FEATURES = ("agreement", *SHAPE_AND_MAPS)  # "agreement": how far the decoders agree on the object
RIGHT = 0.5  # IoU with a true object from which on a proposed one is right
LEAST_OF_EACH = 25  # right and wrong proposals, to learn from
STRENGTH = 0.1  # inverse of the penalty on weights, `LogisticRegression`'s C; proposals repeat each other


@dataclass(frozen=True)
class ObjectScore:
    """Chance that an object is right: a logistic regression.

    Attributes
    ----------
    mean, scale
        Of each of `FEATURES`.
    weights
        Of the standardised features.
    bias
        Added to the weighted sum.
    """

    mean: tuple[float, ...]
    scale: tuple[float, ...]
    weights: tuple[float, ...]
    bias: float

    def __call__(self, described: NDArray[np.float64]) -> NDArray[np.float64]:
        """Estimate it of objects (n, F) -> (n,), [0, 1]."""
        standardised = (described - np.array(self.mean)) / np.array(self.scale)
        return np.asarray(expit(standardised @ np.array(self.weights) + self.bias))

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> ObjectScore:
        """Read what `dataclasses.asdict` gave."""
        mean, scale, weights = (tuple(float(each) for each in values[key]) for key in ("mean", "scale", "weights"))
        if not len(mean) == len(scale) == len(weights) == len(FEATURES):
            raise ValueError("not a score of these features")
        return cls(mean, scale, weights, float(values["bias"]))


def learn_score(described: NDArray[np.float64], right: NDArray[np.bool_]) -> ObjectScore | None:
    """Learn from proposed objects, of which it is known whether they are right.

    Parameters
    ----------
    described
        (n, F) of `FEATURES`, see `describe_objects`.
    right
        (n,) whether a true object is met at an IoU of `RIGHT`.

    Returns
    -------
    ObjectScore or None
        None where too few are right, or too few wrong.
    """
    if min(np.count_nonzero(right), np.count_nonzero(~right)) < LEAST_OF_EACH:
        return None
    mean, scale = described.mean(0), described.std(0)
    scale[scale < 1e-9] = 1.0
    fitted = LogisticRegression(C=STRENGTH, max_iter=1000).fit((described - mean) / scale, right)
    return ObjectScore(
        tuple(mean.tolist()), tuple(scale.tolist()), tuple(fitted.coef_[0].tolist()), float(fitted.intercept_[0])
    )


@dataclass(frozen=True)
class Describer:
    """Describes the objects of several segmentations of one image, each but once: they mostly find the same ones.

    Attributes
    ----------
    maps
        Of the image; see `describe_objects`.
    """

    maps: Maps
    _known: dict[tuple[int, int, int, bytes], NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __call__(self, labels: NDArray[np.integer]) -> NDArray[np.float64]:
        """Describe objects (H, W) 1..n, without a gap -> (n, len(SHAPE_AND_MAPS)); see `describe_objects`."""
        keys = [
            (box[0].start, box[1].start, box[1].stop, (labels[box] == label).tobytes())
            for label, box in enumerate(ndimage.find_objects(labels), start=1)
        ]
        new = np.array([False, *(key not in self._known for key in keys)])
        if new.any():
            numbered = (np.cumsum(new) * new)[labels].astype(np.int32)
            fresh = (key for key, is_new in zip(keys, new[1:], strict=True) if is_new)
            self._known.update(zip(fresh, describe_objects(numbered, self.maps), strict=True))
        return np.array([self._known[key] for key in keys]).reshape(-1, len(SHAPE_AND_MAPS))


def describe_objects(labels: NDArray[np.int32], maps: Maps) -> NDArray[np.float64]:
    """Describe objects by their shape and by what the maps say at their rim and in their core.

    Nothing said of an object depends on what lies beside it.

    Parameters
    ----------
    labels
        (H, W) 1..n, 0 = background.
    maps
        Foreground, boundary and distance, (H, W) each in [0, 1].

    Returns
    -------
    ndarray
        (n, len(SHAPE_AND_MAPS)): all features but the agreement.
    """
    n = int(labels.max(initial=0))
    if n == 0:
        return np.zeros((0, len(SHAPE_AND_MAPS)))
    foreground, boundary, _ = maps
    measured = regionprops_table(
        labels,
        np.stack(maps, axis=-1),
        properties=("area", "solidity", "eccentricity", "perimeter", "mean_intensity", "max_intensity"),
    )
    number = np.arange(1, n + 1)
    rim = find_boundaries(labels, connectivity=2, mode="inner")
    at_rim, in_core = np.where(rim, labels, 0), np.where(rim, 0, labels)
    columns = (
        np.log(measured["area"]),
        measured["solidity"],
        measured["eccentricity"],
        4 * np.pi * measured["area"] / np.maximum(measured["perimeter"], 1) ** 2,
        *(measured[f"mean_intensity-{plane}"] for plane in range(3)),
        measured["max_intensity-2"],
        *(_means(plane, at_rim, number) for plane in (boundary, foreground)),
        *(_means(plane, in_core, number) for plane in (boundary, foreground)),
    )
    return np.nan_to_num(np.stack(columns, axis=-1).astype(np.float64), posinf=0.0, neginf=0.0)


def _means(plane: NDArray, labels: NDArray, number: NDArray) -> NDArray[np.float64]:
    """Mean of a plane over each object, 0 for those without pixels in `labels`."""
    pixels = np.bincount(labels.ravel(), minlength=len(number) + 1)[1:]
    return np.where(pixels > 0, ndimage.sum_labels(plane, labels, number) / np.maximum(pixels, 1), 0.0)
