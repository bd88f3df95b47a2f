"""QuPath's GeoJSON: one file an image, one feature an object."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import shapely

from fewstain.export.objects import each_object
from fewstain.export.outlines import outline
from fewstain.export.samples import Sample
from fewstain.export.writer import Writer
from fewstain.storage import atomic_path


class GeoJson(Writer):
    """<image>.geojson: detections with class and label (RFC 7946's structure, QuPath's pixel coordinates)."""

    needs_images = False
    odd_objects = "GeoJSON's polygons hold them exactly (holes as rings, pieces as MultiPolygon)"

    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Write one image's objects, feature by feature."""
        with (
            atomic_path(self.folder / f"{sample.name}.geojson") as temporary,
            temporary.open("w", encoding="utf-8") as file,
        ):
            file.write('{"type": "FeatureCollection", "features": [')
            separator = "\n"
            for item in each_object(labels):
                properties: dict[str, Any] = {"objectType": "detection", "name": str(item.label)}
                if item.label in sample.classes:
                    properties["classification"] = {"name": sample.classes[item.label]}
                geometry = shapely.geometry.mapping(outline(item))
                feature = {"type": "Feature", "geometry": geometry, "properties": properties}
                file.write(separator + json.dumps(feature, ensure_ascii=False))
                separator = ",\n"
            file.write("\n]}\n")
