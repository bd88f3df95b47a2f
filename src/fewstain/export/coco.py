"""COCO's instance annotations: one JSON with run-length masks, beside the images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask

from fewstain.export.objects import Object, each_object
from fewstain.export.samples import Sample
from fewstain.export.writer import Writer
from fewstain.storage import atomic_path

PLAIN = "object"  # the category of objects without a class


class Coco(Writer):
    """annotations.json and images/ with the files as they were (cocodataset.org, "Data format").

    Masks are run lengths (RLE) of single objects, iscrowd 0, which hold any shape exactly. The images' entries also say
    `pixel_size_um`, the annotations' the object's `label`; COCO's readers skip keys that they don't know.
    """

    odd_objects = "COCO's run lengths hold them exactly"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        (folder / "images").mkdir()
        self._images: list[dict[str, Any]] = []
        self._annotations: list[dict[str, Any]] = []
        self._categories: dict[str, int] = {}

    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Copy the image and note its objects."""
        assert sample.image is not None
        shutil.copyfile(sample.image, self.folder / "images" / sample.image.name)
        number = len(self._images) + 1
        height, width = labels.shape
        image = {"id": number, "file_name": sample.image.name, "height": height, "width": width}
        self._images.append(image | ({"pixel_size_um": sample.pixel_size_um} if sample.pixel_size_um else {}))
        for item in each_object(labels):
            encoded = run_lengths(item, labels.shape)
            kind = sample.classes.get(item.label, PLAIN)
            self._annotations.append(
                {
                    "id": len(self._annotations) + 1,
                    "image_id": number,
                    "category_id": self._categories.setdefault(kind, len(self._categories) + 1),
                    "segmentation": {"size": [height, width], "counts": encoded["counts"].decode("ascii")},
                    "area": int(coco_mask.area(encoded)),
                    "bbox": [float(value) for value in coco_mask.toBbox(encoded)],
                    "iscrowd": 0,
                    "label": item.label,
                }
            )

    def finish(self) -> tuple[str, ...]:
        """Write annotations.json."""
        categories = self._categories or {PLAIN: 1}
        content = {
            "info": {"description": "instance masks by fewstain"},
            "licenses": [],
            "images": self._images,
            "annotations": self._annotations,
            "categories": [{"id": number, "name": name, "supercategory": ""} for name, number in categories.items()],
        }
        with atomic_path(self.folder / "annotations.json") as temporary, temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file, ensure_ascii=False, allow_nan=False)
        return ()


def run_lengths(item: Object, shape: tuple[int, ...]) -> dict[str, Any]:
    """COCO's compressed RLE of an object, made from its box alone, so that large images cost nothing.

    Parameters
    ----------
    item
        The object.
    shape
        (H, W) of the image.

    Returns
    -------
    dict
        "size" [H, W] and "counts" bytes, as pycocotools.mask.encode of the whole mask would give.
    """
    height, width = shape
    columns, rows = np.nonzero(item.mask.T)  # by column, as COCO counts
    place = (columns + item.x).astype(np.int64) * height + rows + item.y
    starts = place[np.flatnonzero(np.diff(place, prepend=-2) > 1)]
    stops = place[np.flatnonzero(np.diff(place, append=height * width + 1) > 1)] + 1
    edges = np.stack([starts, stops], axis=1).ravel()
    counts = np.diff(edges, prepend=0, append=height * width)
    if counts[-1] == 0:
        counts = counts[:-1]
    plain = {"size": [height, width], "counts": counts.tolist()}
    return dict(coco_mask.frPyObjects(plain, height, width))
