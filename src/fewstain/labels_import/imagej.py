"""ImageJ's ROI files and ROI Manager zips -> outlines."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from fewstain.errors import UserError, install_extra
from fewstain.labels_import.outlines import Outline

_WITHOUT_AREA = ("LINE", "FREELINE", "POLYLINE", "ANGLE", "POINT", "NOROI", "UNKNOWN")
_LARGEST_ROI = 64 * 1024 * 1024  # bytes


def read_rois(path: Path) -> tuple[list[Outline], tuple[str, ...]]:
    """Outlines of all ROIs with an area, in their order, and notes about the others.

    Raises
    ------
    UserError
        Not an ROI file; ROIs on several planes of a stack; text or image ROIs; roifile is not installed.
    """
    try:
        import roifile
    except ImportError:
        raise UserError(f"{path}: ROI files need the package roifile: {install_extra('import')}") from None
    try:
        rois = [roifile.ImagejRoi.frombytes(data) for data in _members(path)]
    except (ValueError, OSError, zipfile.BadZipFile, IndexError, KeyError) as error:
        raise UserError(f"{path}: not readable as ImageJ ROIs ({error}); save it from the ROI Manager again") from error
    _refuse_several_planes(path, rois)
    outlines, skipped, splines = [], 0, 0
    for number, roi in enumerate(rois, 1):
        if roi.roitype.name in _WITHOUT_AREA and roi.multi_coordinates is None:
            skipped += 1
            continue
        if roi.subtype.name in ("TEXT", "IMAGE"):
            raise UserError(f"{path}: ROI {number} is a {roi.subtype.name.lower()}, not an outline; delete it there")
        splines += bool(roi.options & roifile.ROI_OPTIONS.SPLINE_FIT)
        outlines.append(Outline(_rings(roi)))
    notes = []
    if skipped:
        notes.append(f"{skipped} ROIs without an area (points, lines) are left out")
    if splines:
        notes.append(f"{splines} spline-fitted ROIs are drawn with straight lines between their points")
    return outlines, tuple(notes)


def _members(path: Path) -> list[bytes]:
    """Bytes of each ROI; names inside the zip are never used as paths."""
    if path.suffix.lower() != ".zip":
        return [path.read_bytes()]
    with zipfile.ZipFile(path) as archive:
        members = [item for item in archive.infolist()
                   if item.filename.lower().endswith(".roi") and "__MACOSX" not in item.filename]  # fmt: skip
        if not members:
            raise ValueError("no .roi in the zip")
        if any(item.file_size > _LARGEST_ROI for item in members):
            raise ValueError("an ROI of more than 64 MB")
        return [archive.read(item) for item in members]


def _rings(roi: Any) -> tuple[np.ndarray, ...]:
    if roi.roitype.name == "OVAL":
        top, left, bottom, right = roi.top, roi.left, roi.bottom, roi.right
        if roi.subpixelrect:
            left, top, right, bottom = roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
        angles = np.linspace(0, 2 * np.pi, 256, endpoint=False)
        x = (left + right) / 2 + (right - left) / 2 * np.cos(angles)
        y = (top + bottom) / 2 + (bottom - top) / 2 * np.sin(angles)
        return (np.stack([x, y], axis=1),)
    if roi.roitype.name == "RECT" and roi.multi_coordinates is None and roi.subpixelrect:
        x0, y0, x1, y1 = roi.xd, roi.yd, roi.xd + roi.widthd, roi.yd + roi.heightd
        return (np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], np.float64),)
    return tuple(np.asarray(ring, np.float64).reshape(-1, 2) for ring in roi.coordinates(multi=True))


def _refuse_several_planes(path: Path, rois: list[Any]) -> None:
    planes = {(roi.z_position, roi.t_position) for roi in rois}
    if not any(roi.c_position or roi.z_position or roi.t_position for roi in rois):
        planes = {(roi.position, 0) for roi in rois}
    if len(planes - {(0, 0)}) > 1:
        raise UserError(f"{path}: ROIs on {len(planes)} planes of a stack; save those of one plane")
