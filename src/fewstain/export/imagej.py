"""ImageJ's ROI Manager zips: one zip an image, one ROI an object."""

from __future__ import annotations

import numpy as np
import roifile

from fewstain.errors import UserError
from fewstain.export.objects import each_object
from fewstain.export.outlines import outline, rings
from fewstain.export.samples import Sample
from fewstain.export.writer import Writer
from fewstain.storage import atomic_path

_LARGEST = 32767  # ROI files keep an outline's box in signed 16 bits
_MOVE, _LINE, _CLOSE = 0.0, 1.0, 4.0  # java.awt.geom.PathIterator, which ImageJ writes


class ImageJ(Writer):
    """<image>_RoiSet.zip; each ROI is named after its label."""

    needs_images = False
    odd_objects = "they are composite ROIs, which hold them exactly"

    def add(self, sample: Sample, labels: np.ndarray) -> None:
        """Write one image's ROIs.

        Raises
        ------
        UserError
            An image too large for ROI files.
        """
        if max(labels.shape) > _LARGEST:
            raise UserError(
                f"{sample.labels}: {labels.shape[0]} × {labels.shape[1]} pixels, but ImageJ's ROI files count to "
                f"{_LARGEST} only; export it with --format geojson"
            )
        with atomic_path(self.folder / f"{sample.name}_RoiSet.zip") as temporary:
            rois = (roi(rings(outline(item)), f"{item.label:05d}") for item in each_object(labels))
            roifile.roiwrite(temporary, rois, mode="w")


def roi(outlines: list[np.ndarray], name: str) -> roifile.ImagejRoi:
    """Make a polygon of one ring, or of several a composite, whose rings combine by the even-odd rule.

    Parameters
    ----------
    outlines
        (n, 2) whole-numbered corners x, y of each ring.
    name
        As the ROI Manager lists it.
    """
    corners = np.concatenate(outlines).astype(np.int64)
    if len(outlines) == 1:
        made = roifile.ImagejRoi.frompoints(corners, name=name)
        made.roitype = roifile.ROI_TYPE.POLYGON
    else:
        path: list[float] = []
        for ring in outlines:
            for index, (x, y) in enumerate(ring.tolist()):
                path += [_LINE if index else _MOVE, x, y]
            path.append(_CLOSE)
        made = roifile.ImagejRoi()
        made.version, made.roitype, made.name = 228, roifile.ROI_TYPE.RECT, name
        made.multi_coordinates = np.array(path, np.float32)
        made.shape_roi_size = len(path)
    made.left, made.top = (int(value) for value in corners.min(axis=0))
    made.right, made.bottom = (int(value) for value in corners.max(axis=0))
    return made
