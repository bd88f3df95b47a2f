"""The image that is looked through: its objects are measured where its mask changes."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fewstain.pixels.measure import measure
from fewstain.storage import read_json
from fewstain.viewer.corrections import box_of
from fewstain.viewer.study import Study


class OpenImage:
    """Pixels and uncertainty of an image, by which objects of its mask are measured.

    Parameters
    ----------
    study
        Where its files lie.
    name
        Of the image, without extension.
    pixels
        (H, W, C), sliced by boxes.
    uncertainty
        (H, W), sliced by boxes; None without one.
    model_hash
        Of the model that found its objects, "" where that is not known.
    """

    def __init__(self, study: Study, name: str, pixels: Any, uncertainty: Any, model_hash: str) -> None:
        self.name = name
        self._study, self._pixels, self._uncertainty, self._model_hash = study, pixels, uncertainty, model_hash

    def measure(self, labels: NDArray[np.integer], label: int) -> pd.DataFrame:
        """Measure one object of the mask (H, W), as measurements.csv has it: one row."""
        box = box_of(labels, label)
        own = np.where(labels[box] == label, label, 0)
        uncertainty = np.full(own.shape, np.nan) if self._uncertainty is None else np.asarray(self._uncertainty[box])
        return measure(
            own,
            np.asarray(self._pixels[box]),
            uncertainty,
            image=self.name,
            model_hash=self._model_hash,
            pixel_size_um=self._pixel_size(),
            offset=(box[0].start, box[1].start),
            shape=(labels.shape[0], labels.shape[1]),
        )

    def _pixel_size(self) -> float | None:
        if self._study.results is None:
            return None
        sizes: Any = read_json(self._study.results / "dataset.json").get("pixel_sizes_um", {})
        return sizes.get(self._study.image(self.name).name)


def areas_of(labels: NDArray[np.integer], among: Sequence[int] | None = None) -> dict[int, int]:
    """Label -> pixels, of the objects that are there; of all, or only of those `among`."""
    if among is None:
        counts = np.bincount(labels.ravel())
        return {int(label): int(counts[label]) for label in np.flatnonzero(counts) if label}
    areas = {}
    for label in among:
        with contextlib.suppress(KeyError):
            areas[label] = int((labels[box_of(labels, label)] == label).sum())
    return areas
