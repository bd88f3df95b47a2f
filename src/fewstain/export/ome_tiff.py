"""OME-TIFF: images and labels with their pixel size."""

from __future__ import annotations

import numpy as np

from fewstain.export.samples import Sample
from fewstain.export.training import stored
from fewstain.export.writer import Writer
from fewstain.images.write import write_image


class OmeTiff(Writer):
    """images/<image>.ome.tif and labels/<image>.ome.tif, with PhysicalSizeX and Y in µm where known."""

    odd_objects = "a label image holds them exactly"

    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Write the image and its labels."""
        image, path = sample.read_image(), self.folder / "images" / f"{sample.name}.ome.tif"
        write_image(path, image.pixels, sample.pixel_size_um, ome=True, rgb=image.rgb)
        write_image(self.folder / "labels" / f"{sample.name}.ome.tif", stored(labels), sample.pixel_size_um, ome=True)
