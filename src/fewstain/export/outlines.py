"""An object's mask -> its outline along the pixels' edges."""

from __future__ import annotations

import numpy as np
import shapely

from fewstain.export.objects import Object


def outline(item: Object) -> shapely.Polygon | shapely.MultiPolygon:
    """Outline of an object: exactly its pixels, holes and separate pieces included.

    Returns
    -------
    Polygon or MultiPolygon
        In pixels, (0, 0) at the outer corner of the image's top-left pixel, as ImageJ and QuPath count. Pixels that
        touch only at a corner are separate pieces, because a valid polygon may not touch itself there.
    """
    steps = np.diff(np.pad(item.mask, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(steps == 1)
    _, stops = np.nonzero(steps == -1)
    runs = shapely.box(starts + item.x, rows + item.y, stops + item.x, rows + item.y + 1)
    shape = shapely.union_all(runs).simplify(0)  # corners only, no points along straight edges
    return shapely.orient_polygons(shape)


def rings(shape: shapely.Polygon | shapely.MultiPolygon) -> list[np.ndarray]:
    """(n, 2) corners x, y of every ring, holes too, none repeated at the end."""
    polygons = shape.geoms if isinstance(shape, shapely.MultiPolygon) else [shape]
    every = [ring for polygon in polygons for ring in (polygon.exterior, *polygon.interiors)]
    return [np.asarray(ring.coords)[:-1] for ring in every]
