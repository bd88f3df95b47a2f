"""What every format's writer does: take samples one after another, then finish its folder."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from pathlib import Path
from typing import ClassVar

import numpy as np

from fewstain.export.samples import Sample
from fewstain.pair_folders import pair_folder_number


class Writer(ABC):
    """Writes the samples of one collection into a folder.

    Attributes
    ----------
    needs_images
        Whether the format holds, or can't be used without, the images.
    odd_objects
        What becomes of objects with holes or in several pieces; told when there are some.
    """

    needs_images: ClassVar[bool] = True
    odd_objects: ClassVar[str]

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True)

    @classmethod
    def folder_name(cls, results: str, collection: str) -> str:
        """Name of the folder for a collection of the results folder named `results`."""
        return collection

    @abstractmethod
    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Write one sample with its (H, W) labels."""

    def finish(self) -> tuple[str, ...]:
        """Write what is said of all samples together; returns notes for the user."""
        return ()


def dataset_name(results: str, collection: str) -> str:
    """nnU-Net's folder name: "Dataset501_mystain-masks"; 501 for masks, and 502, 503, … for pairs of each kind."""
    number = 501 + (pair_folder_number(collection) or 0)
    return f"Dataset{number}_{re.sub('[^A-Za-z0-9]+', '-', f'{results}-{collection}').strip('-')}"
