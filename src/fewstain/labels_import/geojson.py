"""QuPath's GeoJSON -> outlines with classes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from skimage.measure import points_in_poly

from fewstain.errors import UserError
from fewstain.labels_import.outlines import Outline


def read_geojson(path: Path) -> tuple[list[Outline], tuple[str, ...]]:
    """Outlines of every Polygon and MultiPolygon, holes included, and notes about what is left out.

    Coordinates are pixels of the full-resolution image (RFC 7946's structure, QuPath's units). An annotation that holds
    cells or detections is the region they were looked for in, and no object.

    Raises
    ------
    UserError
        Not GeoJSON, or coordinates that are no finite numbers.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        features = _features(content)
        outlines, detected, skipped = [], [], 0
        for feature in features:
            rings = _rings(feature.get("geometry") or {})
            if rings is None:
                skipped += 1
            else:
                outlines.append(Outline(rings, _kind(feature.get("properties") or {})))
                detected.append(_detected(feature))
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not readable as GeoJSON ({error}); export it from QuPath as GeoJSON again") from error
    kept = _without_regions(outlines, detected)
    notes = [f"{skipped} objects without an area (points, lines) are left out"] if skipped else []
    if len(kept) < len(outlines):
        notes.append(
            f"{len(outlines) - len(kept)} annotations with cells or detections in them are left out, as regions"
        )
    return kept, tuple(notes)


def _features(content: Any) -> list[dict[str, Any]]:
    if isinstance(content, list):
        return content
    if content["type"] == "FeatureCollection":
        return list(content["features"])
    if content["type"] == "Feature":
        return [content]
    raise ValueError(f"a {content['type']} instead of features")


def _rings(geometry: dict[str, Any]) -> tuple[np.ndarray, ...] | None:
    kind = geometry.get("type")
    if kind == "Polygon":
        rings = geometry["coordinates"]
    elif kind == "MultiPolygon":
        rings = [ring for part in geometry["coordinates"] for ring in part]
    else:
        return None
    arrays = tuple(np.array([point[:2] for point in ring], np.float64).reshape(-1, 2) for ring in rings)
    if not all(np.isfinite(ring).all() for ring in arrays):
        raise ValueError("coordinates that are no finite numbers")
    return arrays


def _kind(properties: dict[str, Any]) -> str | None:
    classification = properties.get("classification")
    if isinstance(classification, dict):
        names = classification.get("names")
        classification = classification.get("name") or (": ".join(names) if names else None)
    return str(classification).strip() or None if classification else None


def _detected(feature: dict[str, Any]) -> bool:
    """Whether QuPath made it: a cell or detection, not an annotation; older versions tell by the id."""
    properties = feature.get("properties") or {}
    told = properties.get("objectType") or properties.get("object_type") or feature.get("id")
    return str(told).lower() in ("cell", "detection", "pathcellobject", "pathdetectionobject")


def _without_regions(outlines: Sequence[Outline], detected: Sequence[bool]) -> list[Outline]:
    """Leave out what is not detected and holds something that is: the middle of one, (x, y)."""
    rings = [outline.rings[0] for outline, found in zip(outlines, detected, strict=True) if found and outline.rings]
    middles = np.array([ring.mean(0) for ring in rings if len(ring)]).reshape(-1, 2)
    return [
        outline
        for outline, found in zip(outlines, detected, strict=True)
        if found or not _encloses_any(outline, middles)
    ]


def _encloses_any(outline: Outline, points: np.ndarray) -> bool:
    """Whether one of (N, 2) points lies inside an odd number of rings."""
    rings = [ring for ring in outline.rings if len(ring) >= 3]
    if not rings:
        return False
    corners = np.concatenate(rings)
    near = points[((points >= corners.min(0)) & (points <= corners.max(0))).all(1)]
    inside = np.zeros(len(near), bool)
    for ring in rings:
        inside ^= points_in_poly(near, ring)
    return bool(inside.any())
