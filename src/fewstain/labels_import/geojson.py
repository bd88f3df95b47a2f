"""QuPath's GeoJSON -> outlines with classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from fewstain.errors import UserError
from fewstain.labels_import.outlines import Outline


def read_geojson(path: Path) -> tuple[list[Outline], tuple[str, ...]]:
    """Outlines of every Polygon and MultiPolygon, holes included, and notes about other geometries.

    Coordinates are pixels of the full-resolution image (RFC 7946's structure, QuPath's units).

    Raises
    ------
    UserError
        Not GeoJSON, or coordinates that are no finite numbers.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        features = _features(content)
        outlines, skipped = [], 0
        for feature in features:
            rings = _rings(feature.get("geometry") or {})
            if rings is None:
                skipped += 1
            else:
                outlines.append(Outline(rings, _kind(feature.get("properties") or {})))
    except (OSError, UnicodeDecodeError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UserError(f"{path}: not readable as GeoJSON ({error}); export it from QuPath as GeoJSON again") from error
    return outlines, (f"{skipped} objects without an area (points, lines) are left out",) if skipped else ()


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
