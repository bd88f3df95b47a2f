"""Random forests on classical filters, as in scikit-image's trainable segmentation, ilastik and Weka."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
from skimage.feature import multiscale_basic_features
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

from fewstain.baselines.segmenter import single_maps
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.targets import INTERIOR

ROWS_AT_ONCE = 65536
"""Pixels that are predicted together: bounds the memory of the trees' outputs."""


@dataclass
class ForestSegmenter:
    """A forest for the class of a pixel and one for its distance to the object's border.

    Parameters
    ----------
    trees
        Of each forest.
    pixels_per_window
        Training pixels drawn at random from each window; all when it has fewer.
    min_samples_leaf
        Smallest leaf; keeps the probabilities smooth and the trees small.
    sigma_max
        Largest scale of the filters, pixels.
    seed
        Of the drawn pixels and of the forests.
    jobs
        Processes; -1 for all cores.
    """

    trees: int = 100
    pixels_per_window: int = 4000
    min_samples_leaf: int = 5
    sigma_max: float = 16.0
    seed: int = 0
    jobs: int = -1
    _classes: RandomForestClassifier | None = field(default=None, init=False, repr=False)
    _distance: RandomForestRegressor | None = field(default=None, init=False, repr=False)

    def fit(self, windows: Sequence[LabeledWindow]) -> Self:
        """Learn from windows; see `PixelSegmenter`. Distances are learned in objects that no edge cuts."""
        rng = np.random.default_rng(self.seed)
        features, classes, distance, known = [], [], [], []
        for window in windows:
            targets = window.targets
            chosen = rng.permutation(window.labels.size)[: self.pixels_per_window]
            maps = self.features(window.image.numpy())[window.inside]
            features.append(maps.reshape(-1, maps.shape[-1])[chosen])
            classes.append(targets.classes.ravel()[chosen])
            distance.append(targets.distance.ravel()[chosen])
            known.append(targets.distance_known.ravel()[chosen])
        rows, usable = np.concatenate(features), np.concatenate(known)
        options = {"n_estimators": self.trees, "min_samples_leaf": self.min_samples_leaf, "random_state": self.seed}
        self._classes = RandomForestClassifier(**options, max_features="sqrt", n_jobs=self.jobs)
        self._classes.fit(rows, np.concatenate(classes))
        # A third of the features at each split is Breiman's choice for regression; all of them take far longer.
        self._distance = RandomForestRegressor(**options, max_features=1 / 3, n_jobs=self.jobs)
        self._distance.fit(rows[usable], np.concatenate(distance)[usable])
        return self

    def predict(self, image: np.ndarray) -> PixelMaps:
        """Predict the maps of an image (C, H, W); see `PixelSegmenter`."""
        if self._classes is None or self._distance is None:
            raise ValueError("fit first")
        shape = image.shape[1:]
        rows = self.features(image).reshape(shape[0] * shape[1], -1)
        probabilities = np.zeros((INTERIOR + 1, len(rows)), np.float32)
        distance = np.zeros(len(rows), np.float32)
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = slice(start, start + ROWS_AT_ONCE)
            probabilities[self._classes.classes_, part] = self._classes.predict_proba(rows[part]).T
            distance[part] = self._distance.predict(rows[part])
        return single_maps(probabilities.reshape(-1, *shape), distance.reshape(shape))

    @property
    def nodes(self) -> int:
        """Nodes of all trees, which are what a forest has learned; 0 before `fit`."""
        forests = [each for each in (self._classes, self._distance) if each is not None]
        return sum(int(tree.tree_.node_count) for forest in forests for tree in forest.estimators_)

    def features(self, image: np.ndarray) -> np.ndarray:
        """Compute Gaussians, gradients and Hessian eigenvalues at several scales: (C, H, W) -> (H, W, F) float32."""
        return multiscale_basic_features(image, channel_axis=0, sigma_min=1, sigma_max=self.sigma_max, workers=1)
