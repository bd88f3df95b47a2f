"""Labeling in the real window, by mouse and keys."""

import shutil
import threading

import numpy as np
import pytest
import tifffile

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from fewstain.dataset import open_dataset
from fewstain.errors import UserError
from fewstain.images.read import read_image, read_labels
from fewstain.viewer.label_widget import AUTOSAVE_MS, LabelWidget
from fewstain.viewer.session import suggest_new


@pytest.fixture
def widget(viewer, project):
    """Four windows of 32 x 32, the first one open."""
    widget = LabelWidget(viewer, project.data)
    viewer.window.add_dock_widget(widget, name="Label windows")
    widget.count.setValue(4)
    widget.side.setValue(32)
    widget.suggest_button.click()
    wait(widget)
    viewer.fit_to_view(layers=[widget.layer], margin=0.1)
    yield widget
    widget.close_session()


def wait(widget, seconds=60):
    """Until windows were chosen, and the canvas has its size beside the widget."""
    for _ in range(10 * seconds):
        if not widget.is_choosing:
            break
        QTest.qWait(100)
    assert not widget.is_choosing
    QTest.qWait(300)


def square(widget, size=20):
    """Draw one object, as a script does."""
    widget.layer.data_setitem(tuple(each.ravel() for each in np.mgrid[2:size, 2:size]), 1)


def damage(path):
    """Leave an image's header as it is, and make its pixels unreadable."""
    pixels = read_image(path).pixels[..., 0]
    tifffile.imwrite(path, pixels, compression="zlib")
    with tifffile.TiffFile(path) as file:
        (offset,), (count,) = file.pages[0].dataoffsets, file.pages[0].databytecounts
    content = bytearray(path.read_bytes())
    content[offset : offset + count] = b"\xff" * count
    path.write_bytes(content)


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
    widget.close_session()
    again = LabelWidget(viewer, project.data)
    again.open([each.name for each in again.session.windows].index(window.name))
    assert (again.layer.data == drawn).all()
    assert again.status.text() == "Saved before."
    again.close_session()


def test_strokes_outlive_a_crash(widget, viewer, project, tmp_path):
    widget._timer.stop()  # a finished stroke does not wait for it
    window = widget.window_
    stroke(viewer, (window.y + 3, window.x + 3), (window.y + 3, window.x + 20))
    drawn = widget.layer.data.copy()
    assert drawn[3, 10]
    shutil.copytree(project.data, tmp_path / "crashed" / "cells")  # the disk as it is now: nothing was saved or closed
    again = LabelWidget(viewer, tmp_path / "crashed" / "cells")
    again.open([each.name for each in again.session.windows].index(window.name))
    assert (again.layer.data == drawn).all()
    assert "not saved yet" in again.status.text()
    again.close_session()


def test_undone_strokes_and_strokes_under_way_are_kept_too(widget, viewer):
    window, before = widget.window_, widget.layer.data.copy()
    widget.layer.data[1:4, 1:4] = 9  # of a stroke under way napari tells nothing
    QTest.qWait(AUTOSAVE_MS + 500)
    assert (read_labels(widget.session.draft(window))[1:4, 1:4] == 9).all()
    widget.layer.data[:] = before
    stroke(viewer, (window.y + 3, window.x + 3), (window.y + 3, window.x + 20))
    assert (read_labels(widget.session.draft(window)) != before).any()
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    assert (widget.layer.data == before).all()
    QTest.qWait(AUTOSAVE_MS + 500)
    assert (read_labels(widget.session.draft(window)) == before).all()


def test_a_window_whose_image_cannot_be_read_leaves_the_open_one_as_it_is(widget, viewer):
    windows = widget.session.windows
    open_ = widget.window_
    other = next(index for index, each in enumerate(windows) if each.image != open_.image)
    damage(windows[other].image)
    square(widget)
    drawn, layer = widget.layer.data.copy(), widget.layer
    widget.list.setCurrentRow(other)
    assert widget.window_ == open_
    assert widget.layer is layer
    assert widget.list.currentRow() == windows.index(open_)
    widget.keep()
    widget.save()
    assert not widget.session.draft(windows[other]).exists()
    assert not widget.session.file(windows[other]).exists()
    assert (read_labels(widget.session.file(open_)) == drawn).all()


def test_a_folder_whose_first_window_cannot_be_read_takes_the_last_ones_window_away(widget, project):
    square(widget)
    for path in (project.data / "images").iterdir():
        damage(path)
    widget.session.save(widget.window_, widget.layer.data)
    widget.open_folder(project.data)
    assert not widget.is_shown
    assert widget.window_ is None
    before = sorted((project.data / "labels").rglob("*"))
    widget.save()
    assert sorted((project.data / "labels").rglob("*")) == before


def test_starting_over_can_be_taken_back(widget, viewer):
    window, before = widget.window_, widget.layer.data.copy()
    square(widget)
    drawn = widget.layer.data.copy()
    widget.restart_button.click()
    assert (widget.layer.data == before).all()
    assert not widget.session.is_unsaved(window)
    old = widget.session.draft(window).with_name(f"{window.name}.old.tif")
    assert (read_labels(old) == drawn).all()
    assert f"labels/.drafts/{old.name}" in widget.status.text()
    widget.layer.undo()
    widget.keep()
    assert (read_labels(widget.session.draft(window)) == drawn).all()


def test_what_is_drawn_is_told_as_not_saved(widget, viewer):
    window = widget.window_
    stroke(viewer, (window.y + 6, window.x + 4), (window.y + 6, window.x + 26))
    assert widget.status.text() == "Not saved yet: S saves, and goes on."
    assert widget.list.item(widget.index).text() == f"✎ {window.name}, not saved"


def test_a_window_mended_after_it_was_saved_is_offered_again(widget):
    for window in widget.session.windows[1:]:
        widget.session.save(window, np.ones((32, 32), int))
    layer, window = widget.layer, widget.window_
    layer.data[:] = 0
    layer.data[2:12, 2:12] = layer.data[20:22, 20:22] = 1
    layer.data[20:30, 2:12] = 2
    widget.save()
    assert "4 of 4" in widget.progress.format()
    widget.mend_button.click()
    assert "3 of 4" in widget.progress.format()
    assert widget.list.item(0).text().startswith("✎")
    widget.skip()
    assert "not saved yet" in widget.status.text()
    assert widget.window_ == window
    widget.save()
    widget.save()  # of what the model sees besides it told
    assert widget.status.text().startswith("All windows are labeled")
    assert len(np.unique(read_labels(widget.session.file(window)))) == 4


def test_windows_are_chosen_while_napari_can_be_used_and_a_stroke_is_not_interrupted(widget, viewer, monkeypatch):
    asked, go_on = [], threading.Event()

    def slowly(study, n, size):
        asked.append(threading.current_thread())
        go_on.wait(60)
        return suggest_new(study, n, size)

    monkeypatch.setattr("fewstain.viewer.window_list.suggest_new", slowly)
    widget.suggest_button.click()
    assert not widget.suggest_button.isEnabled()
    assert widget.status.text().startswith("Choosing windows")
    widget.suggest()  # once is enough
    window, layer = widget.window_, widget.layer
    square(widget)
    QTest.qWait(200)
    go_on.set()
    wait(widget)
    assert len(asked) == 1
    assert asked[0] is not threading.main_thread()
    assert widget.suggest_button.isEnabled()
    assert widget.layer is layer
    assert widget.window_ == window
    assert len(widget.session.windows) == 5  # the one begun, and four new ones


def test_a_fault_of_choosing_is_told(widget, monkeypatch):
    told, before = [], widget.session

    def fail(study, n, size):
        raise UserError("a.tif: damaged")

    monkeypatch.setattr("fewstain.viewer.window_list.suggest_new", fail)
    monkeypatch.setattr("napari.utils.notifications.show_warning", told.append)
    widget.suggest_button.click()
    wait(widget)
    assert told == ["a.tif: damaged"]
    assert widget.suggest_button.isEnabled()
    assert widget.session == before


def test_when_all_are_labeled_the_next_round_is_of_new_windows(widget):
    for window in widget.session.windows:
        widget.session.save(window, np.ones((32, 32), int))
    before = widget.session.windows
    widget.count.setValue(2)
    widget.suggest_button.click()
    wait(widget)
    assert widget.session.windows[:4] == before
    assert len(widget.session.windows) == 6
    assert widget.index == 4


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
