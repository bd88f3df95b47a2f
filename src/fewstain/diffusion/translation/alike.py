"""A lookup table for each source image: that of the pool's images whose sources look like it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from fewstain.diffusion.translation.table import LEVELS, Table, source_levels, table_of

TABLES_FILE = "tables.safetensors"
QUANTILES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 0.98)
APART = (1, 2, 4, 8, 16)  # pixels between neighbours whose contrast is told
# Of the histology pool, each image left out in turn, tables by these two had 36.2 dB (mean of the images' PSNR), one
# table for all 33.3; with the six most alike left out too, 34.6. Width 0.2 gave 36.5 and 34.5, width 0.5 35.7 and 34.4.
WIDTH = 0.3  # mean squared difference of looks, in the pool's variances, at which an image counts 1/e
EVERYONE = 0.01  # what each image counts at least: where none is alike, the table is that of all


@dataclass(frozen=True)
class Tables:
    """What makes a table from any images of the pool: a kernel regression over whole images (Nadaraya 1964).

    What a grey level stands for differs from image to image, with staining, thickness and lamp, more than within one;
    and how an image looks tells which others it goes with.

    Attributes
    ----------
    counts
        (N, 256) float32: pixels at each level of the source, of each image.
    sums
        (N, 256, C) float32: sums of their targets, in [-1, 1].
    looks
        (N, F) float32: see `looks_of`.
    """

    counts: NDArray[np.float32]
    sums: NDArray[np.float32]
    looks: NDArray[np.float32]

    @classmethod
    def fit(cls, pairs: Iterable[tuple[NDArray, NDArray]]) -> Tables:
        """Count (S, H, W) sources and (C, H, W) targets, both in [-1, 1], one pair in memory at a time."""
        counts, sums, looks = [], [], []
        for source, target in pairs:
            levels = source_levels(source).ravel()
            counts.append(np.bincount(levels, minlength=LEVELS))
            sums.append([np.bincount(levels, plane.ravel().astype(np.float64), LEVELS) for plane in target])
            looks.append(looks_of(source))
        return cls(
            np.array(counts, np.float32), np.array(sums, np.float32).transpose(0, 2, 1), np.array(looks, np.float32)
        )

    def table_for(self, source: NDArray, left_out: int | None = None) -> Table:
        """Make the table of a source.

        Parameters
        ----------
        source
            (S, H, W) in [-1, 1].
        left_out
            Number of an image of the pool that has no say, unless it is the only one: that which `source` is, so that
            its table is no better than that of an image never seen.

        Returns
        -------
        ndarray
            (256, C) float64.
        """
        scale = self.looks.std(axis=0, dtype=np.float64)
        apart = (self.looks - looks_of(source)) / np.where(scale > 1e-6, scale, 1.0)
        weights = np.exp(-np.square(apart).mean(axis=1) / WIDTH) + EVERYONE
        if left_out is not None and len(weights) > 1:
            weights[left_out] = 0
        return table_of(weights @ self.counts, np.tensordot(weights, self.sums, 1))

    def shared(self) -> Table:
        """Make the table of all images, each pixel counting the same; (256, C) float64."""
        return table_of(self.counts.sum(axis=0, dtype=np.float64), self.sums.sum(axis=0, dtype=np.float64))

    def save(self, folder: Path) -> None:
        """Write `folder`/tables.safetensors."""
        save_file({name: np.ascontiguousarray(values) for name, values in vars(self).items()}, folder / TABLES_FILE)

    @classmethod
    def read(cls, folder: Path) -> Tables:
        """Read what `save` wrote."""
        return cls(**load_file(folder / TABLES_FILE))


def looks_of(source: NDArray) -> NDArray[np.float64]:
    """Describe a source (S, H, W) in [-1, 1]: quantiles of its levels, and contrasts of pixels so far apart; (12,)."""
    plane = (source.mean(axis=0, dtype=np.float64) + 1) / 2
    contrasts = []
    for apart in APART:
        rows, columns = (min(apart, side - 1) for side in plane.shape)
        down, right = (
            plane[rows:] - plane[: len(plane) - rows],
            plane[:, columns:] - plane[:, : plane.shape[1] - columns],
        )
        contrasts.append(np.sqrt(np.square(down).mean() + np.square(right).mean()))
    # a ratio of contrasts counts, not their difference; below a quarter of a level of 256 there is none
    return np.concatenate([np.quantile(plane, QUANTILES), np.log(np.maximum(contrasts, 1e-3))])
