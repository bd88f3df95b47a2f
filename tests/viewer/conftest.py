"""A tiny project: dataset, results, config.yaml; and, where the extra is installed, a real viewer."""

import gc
import importlib
import os
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch

from fewstain.images.write import write_image, write_labels, write_map
from fewstain.pixels.decisions import read_objects
from fewstain.pixels.measure import count_row, flag_images, measure
from fewstain.provenance import write_record

NEEDS_DISPLAY = bool(os.environ.get("FEWSTAIN_NEEDS_DISPLAY"))
"""Whether a window that cannot be opened is a fault, not a reason to skip the tests that want one."""
if NEEDS_DISPLAY:
    for module in ("napari", "qtpy.QtWidgets"):
        importlib.import_module(module)  # its error says more than that tests were skipped

SIDE = 64


def squares() -> np.ndarray:
    """(64, 64) labels: 1 at the top left, 2 at the bottom right, 3 a flat bar of two lobes below the first."""
    labels = np.zeros((SIDE, SIDE), np.int32)
    labels[5:15, 5:15] = 1
    labels[40:60, 40:60] = 2
    labels[30:34, 4:28] = 3
    return labels


@pytest.fixture(autouse=True)
def threads_stay_as_many():
    """Undo what napari's numba does to OpenMP, PyTorch's too; trainings that must agree later need as many threads."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture
def project(tmp_path):
    """config.yaml, data/cells with the images a and b, results/cells with what a run makes of them."""
    folder = tmp_path / "project"
    data, results = folder / "data" / "cells", folder / "results" / "cells"
    tables, counts = [], []
    for number, name in enumerate(("a", "b")):
        labels = np.roll(squares(), 2 * number, axis=1)
        pixels = np.full((SIDE, SIDE), 20, np.uint8)
        pixels[labels > 0] = 200 - 20 * number
        uncertainty = (0.01 * (1 + number) * labels).astype(np.float32)
        write_image(data / "images" / f"{name}.tif", pixels)
        write_labels(results / "masks" / f"{name}.tif", labels)
        write_map(results / "uncertainty" / f"{name}.tif", uncertainty)
        tables.append(measure(labels, pixels[..., None], uncertainty, image=name))
        counts.append(count_row(name, 3, int((labels > 0).sum()), labels.shape, float(uncertainty.mean())))
    write_labels(data / "labels" / "a__y0_x0.tif", squares()[:32, :32])
    pd.concat(tables).to_csv(results / "measurements.csv", index=False)
    flag_images(pd.DataFrame(counts)).to_csv(results / "counts.csv", index=False)
    write_record(results / "dataset.json", data, {"a.tif": None, "b.tif": None})
    (folder / "config.yaml").write_text("datasets:\n  cells:\npreset: demo\n")
    return SimpleNamespace(folder=folder, data=data, results=results)


@pytest.fixture(scope="session")
def display():
    """A screen to draw on, made up where there is none."""
    from fewstain.viewer.display import start_virtual_display

    if not start_virtual_display():
        missing = "neither a display nor Xvfb"
        if NEEDS_DISPLAY:
            pytest.fail(f"{missing}, but FEWSTAIN_NEEDS_DISPLAY is set; install it as at the end of docs/napari.md")
        pytest.skip(missing)
    gc.freeze()  # napari looks for garbage whenever a layer goes: for seconds, among all that other tests have imported


@pytest.fixture
def viewer(display, monkeypatch):
    """The real window of napari, with default settings that are neither read nor written."""
    monkeypatch.setenv("NAPARI_CONFIG", "")
    napari = pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
    viewer = napari.Viewer(show=True)
    viewer.window.resize(1200, 800)
    yield viewer
    viewer.close()


@pytest.fixture
def widget(viewer, project):
    """The widget that objects are looked at in, with the results opened: image b, whose objects are less certain."""
    pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)
    from qtpy.QtTest import QTest

    from fewstain.viewer.inspect_widget import InspectWidget

    widget = InspectWidget(viewer, project.results)
    viewer.window.add_dock_widget(widget, name="Look at objects")
    QTest.qWait(300)
    viewer.reset_view()
    yield widget
    widget.close_review()


@pytest.fixture
def hands(widget, project):
    """What a person does to the widget, and sees of it."""
    return Hands(widget, project.results)


class Hands:
    """Mouse, keys and brush on the canvas; each waits until the window has answered."""

    def __init__(self, widget, results):
        self.widget, self.results = widget, results
        self.canvas = widget.viewer.window._qt_viewer.canvas.native

    def click(self, y, x, *, shift=False):
        """Click on a pixel of the image."""
        from qtpy.QtCore import QPoint, Qt
        from qtpy.QtTest import QTest

        camera = self.widget.viewer.camera
        place = QPoint(
            round(self.canvas.width() / 2 + (x - camera.center[-1]) * camera.zoom),
            round(self.canvas.height() / 2 + (y - camera.center[-2]) * camera.zoom),
        )
        modifier = Qt.KeyboardModifier.ShiftModifier if shift else Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(self.canvas, Qt.MouseButton.LeftButton, modifier, place)
        QTest.keyRelease(self.canvas, Qt.Key.Key_Shift)  # Qt holds it until told otherwise, in the next window, too
        QTest.qWait(50)

    def press(self, letter, *, control=False):
        """Press a key."""
        from qtpy.QtCore import Qt
        from qtpy.QtTest import QTest

        modifier = Qt.KeyboardModifier.ControlModifier if control else Qt.KeyboardModifier.NoModifier
        QTest.keyClick(self.canvas, getattr(Qt.Key, f"Key_{letter}"), modifier)
        QTest.qWait(50)

    def undo(self):
        """Press Ctrl+Z."""
        self.press("Z", control=True)

    def stroke(self, y, x, *, size=4):
        """Paint a dot in the colour at hand."""
        from qtpy.QtTest import QTest

        self.widget.layer.brush_size = size
        self.widget.layer.paint((y, x), self.widget.layer.selected_label)
        QTest.qWait(50)

    def decisions(self, image="b"):
        """Decision of each object in the table."""
        table = self.widget.review.table
        rows = table[table["image"] == image]
        return dict(zip(rows["label"], rows["decision"], strict=True))

    def kept(self, image="b"):
        """Decisions as they lie beside the corrected mask."""
        table = read_objects(self.results / "corrected" / f"{image}.csv").fillna({"decision": ""})
        return dict(zip(table["label"], table["decision"], strict=True))
