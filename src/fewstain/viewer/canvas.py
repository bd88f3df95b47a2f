"""Objects on napari's canvas: going to one, framing some, and telling which one was clicked."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fewstain.viewer import corrections
from fewstain.viewer.layers import KEY

if TYPE_CHECKING:
    import napari
    from napari.layers import Labels

FRAMES = "chosen"
"""Name of the layer of frames."""
_AROUND = 10
"""An object takes about this part of the canvas when it is gone to."""


def go_to(viewer: napari.Viewer, y: float, x: float, area: float) -> None:
    """Centre an object of `area` pixels; the zoom is left alone unless it is three times too far or too near."""
    viewer.camera.center = (0.0, y, x)
    canvas = viewer.window._qt_viewer.canvas.native
    zoom = min(canvas.width(), canvas.height()) / (_AROUND * max(area, 1.0) ** 0.5)
    if viewer.camera.zoom < zoom / 3 or viewer.camera.zoom > zoom * 3:
        viewer.camera.zoom = zoom


def clicked_label(layer: Labels, event: Any) -> Generator[None, None, int]:
    """Wait until the mouse button is released, as napari's callbacks do; 0 after a drag, or where no object is."""
    dragged = False
    yield
    while event.type == "mouse_move":
        dragged = True
        yield
    label = layer.get_value(event.position, world=True)
    return int(label) if not dragged and label else 0


def add_frames(viewer: napari.Viewer, image: str | None) -> None:
    """Add the layer of frames, with none in it."""
    properties: dict[str, Any] = {
        "name": FRAMES,
        "edge_color": "yellow",
        "face_color": "transparent",
        "edge_width": 1,
        "metadata": {KEY: {"kind": "chosen", "image": image}},
    }
    viewer.add_shapes(ndim=2, **properties)


def frame(viewer: napari.Viewer, layer: Labels, labels: Sequence[int]) -> None:
    """Draw a frame around each of these objects of a mask, and around no others."""
    frames = []
    for label in labels:
        try:
            rows, columns = corrections.box_of(layer.data, label)
        except KeyError:  # a rejected one
            continue
        top, bottom, left, right = rows.start - 2, rows.stop + 1, columns.start - 2, columns.stop + 1
        frames.append(np.array([[top, left], [top, right], [bottom, right], [bottom, left]], float))
    marks = viewer.layers[FRAMES]
    marks.data = []
    if frames:
        marks.add(frames, shape_type="polygon", edge_width=1, edge_color="yellow", face_color="transparent")
    viewer.layers.selection.active = layer
