"""Labeling in the real window, by mouse and keys."""

import numpy as np
import pytest

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from fewstain.dataset import open_dataset
from fewstain.images.read import read_labels
from fewstain.viewer.label_widget import AUTOSAVE_MS, LabelWidget


@pytest.fixture
def widget(viewer, project):
    """Four windows of 32 x 32, the first one open."""
    widget = LabelWidget(viewer, project.data)
    viewer.window.add_dock_widget(widget, name="Label windows")
    widget.count.setValue(4)
    widget.side.setValue(32)
    widget.suggest_button.click()
    QTest.qWait(300)
    viewer.fit_to_view(layers=[widget.layer], margin=0.1)
    yield widget
    widget.close_session()


def on_screen(viewer, y, x):
    """Where a pixel of the image is on the canvas."""
    canvas = viewer.window._qt_viewer.canvas
    size = canvas.native.size()
    centre, zoom = viewer.camera.center, viewer.camera.zoom
    ratio = canvas.native.devicePixelRatioF()
    return QPoint(
        round(size.width() / 2 + (x - centre[-1]) * zoom / ratio),
        round(size.height() / 2 + (y - centre[-2]) * zoom / ratio),
    )


def stroke(viewer, start, end):
    native = viewer.window._qt_viewer.canvas.native
    QTest.mouseMove(native, on_screen(viewer, *start))
    QTest.mousePress(native, Qt.MouseButton.LeftButton, pos=on_screen(viewer, *start))
    for share in (0.25, 0.5, 0.75, 1.0):
        QTest.mouseMove(native, on_screen(viewer, *np.add(start, share * np.subtract(end, start))))
        QTest.qWait(20)
    QTest.mouseRelease(native, Qt.MouseButton.LeftButton, pos=on_screen(viewer, *end))
    QTest.qWait(50)


def press(viewer, key):
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, key)
    QTest.qWait(50)


def test_draw_save_and_reopen_by_mouse_and_keys(widget, viewer, project):
    window = widget.window_
    widget.layer.data[:] = 0
    widget.layer.refresh()
    y, x = window.y, window.x
    stroke(viewer, (y + 6, x + 4), (y + 6, x + 26))
    press(viewer, Qt.Key.Key_M)
    stroke(viewer, (y + 24, x + 4), (y + 24, x + 26))
    assert widget.session.draft(window).is_file()
    drawn = widget.layer.data.copy()
    assert drawn[6, 15] != drawn[24, 15] != 0
    assert drawn[15].max() == 0
    press(viewer, Qt.Key.Key_S)  # saves; what the model sees besides may be told
    if widget.window_ == window:
        press(viewer, Qt.Key.Key_S)
    assert widget.window_ != window
    saved = project.data / "labels" / f"{window.name}.tif"
    assert (read_labels(saved) == drawn).all()
    assert window.name in [each.name for each in open_dataset(project.data).windows]
    assert "1 of 4" in widget.progress.format()
    widget.open(widget.session.windows.index(window))
    assert (widget.layer.data == drawn).all()
    assert widget.status.text() == "Saved before."


def test_strokes_outlive_a_crash(widget, viewer, project):
    window = widget.window_
    stroke(viewer, (window.y + 3, window.x + 3), (window.y + 3, window.x + 20))
    drawn = widget.layer.data.copy()
    assert drawn[3, 10]
    again = LabelWidget(viewer, project.data)  # nothing was saved or closed
    again.open([each.name for each in again.session.windows].index(window.name))
    assert (again.layer.data == drawn).all()
    assert "not saved yet" in again.status.text()
    again.restart()
    assert not again.session.draft(window).exists()
    again.close_session()


def test_undone_strokes_and_strokes_under_way_are_kept_too(widget):
    widget.layer.data[1:4, 1:4] = 9
    QTest.qWait(AUTOSAVE_MS + 500)
    assert (read_labels(widget.session.draft(widget.window_))[1:4, 1:4] == 9).all()


def test_a_polygon_is_one_object(widget):
    widget.layer.mode = "polygon"
    widget.layer.data[:] = 0
    widget.layer.selected_label = 1
    widget.layer.paint_polygon(np.array([[2, 2], [2, 9], [9, 9], [9, 2]]), 1)
    QTest.qWait(50)
    assert (widget.layer.data[4, 4], widget.layer.selected_label) == (1, 2)


def test_doubts_are_told_and_mended(widget):
    layer = widget.layer
    layer.data[:] = 0
    layer.data[2:12, 2:12] = layer.data[20:22, 20:22] = 1
    layer.data[20:30, 2:12] = 2
    widget.save()
    assert "object 1 in several pieces" in widget.doubts.text()
    assert "1 of 4" in widget.progress.format()
    assert widget.list.item(widget.index).text().startswith("✓")
    assert widget.mend_button.isVisible()
    widget.mend()
    assert np.unique(layer.data).tolist() == [0, 1, 2, 3]
    layer.undo()
    assert np.unique(layer.data).tolist() == [0, 1, 2]


def test_the_frame_and_the_labels_lie_on_their_window(widget):
    window = widget.window_
    assert tuple(widget.layer.translate) == (window.y, window.x)
    frame = widget.viewer.layers["window"].data[0]
    assert frame.min(axis=0).tolist() == [window.y - 0.5, window.x - 0.5]
    assert frame.max(axis=0).tolist() == [window.y + 31.5, window.x + 31.5]
