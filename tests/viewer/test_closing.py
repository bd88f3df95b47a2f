"""Widgets that are closed as users close them: by napari's window, or by the × of their dock."""

import time
from contextlib import suppress

import numpy as np
import pytest

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from qtpy.QtTest import QTest
from qtpy.QtWidgets import QApplication, QWidget

from fewstain.images.read import read_labels
from fewstain.viewer import opened_review
from fewstain.viewer.closing import Closing
from fewstain.viewer.inspect_widget import InspectWidget
from fewstain.viewer.label_widget import LabelWidget
from fewstain.viewer.run_widget import RunWidget
from fewstain.viewer.workflow import Run


def by_window(viewer, dock):
    viewer.window._qt_window.close()
    del viewer.window._qt_window  # it is gone; the fixture must not close it again


def by_dock(viewer, dock):
    dock.title.close_button.click()


def by_viewer(viewer, dock):
    viewer.close()


def by_program(viewer, dock):
    QApplication.instance().aboutToQuit.emit()


ways = pytest.mark.parametrize("close", [by_window, by_dock, by_viewer, by_program])


@ways
def test_a_widget_is_told_once(viewer, close):
    told = []
    widget = QWidget()
    Closing(widget, viewer, lambda: told.append(1))
    dock = viewer.window.add_dock_widget(widget, name="mine")
    dock.setFloating(True)
    dock.title.hide_button.click()
    dock.setFloating(False)
    dock.show()
    QTest.qWait(20)
    assert told == []
    close(viewer, dock)
    with suppress(RuntimeError):  # it went with the window
        widget.close()
    QTest.qWait(20)
    assert told == [1]


@ways
def test_corrections_of_large_images_are_kept(viewer, project, monkeypatch, close):
    monkeypatch.setattr(opened_review, "_SAVED_AT_ONCE", 0)
    widget = InspectWidget(viewer, project.results)
    dock = viewer.window.add_dock_widget(widget, name="Look at objects")
    widget.choose([2])
    widget.reject()
    saved = project.results / "corrected" / "b.tif"
    assert not saved.exists()
    close(viewer, dock)
    assert np.unique(read_labels(saved)).tolist() == [0, 1, 3]


def test_the_dock_takes_keys_clicks_and_layers_with_it(viewer, project):
    widget = InspectWidget(viewer, project.results)
    dock = viewer.window.add_dock_widget(widget, name="Look at objects")
    assert viewer.keymap
    by_dock(viewer, dock)
    assert not viewer.keymap
    assert not viewer.layers
    assert widget._clicked not in viewer.mouse_drag_callbacks


def test_a_closed_widget_leaves_alone_what_another_one_shows(viewer, project):
    closed = viewer.window.add_dock_widget(InspectWidget(viewer, project.results), name="Look at objects")
    widget = LabelWidget(viewer, project.results)
    dock = viewer.window.add_dock_widget(widget, name="Label windows")
    widget.count.setValue(1)
    widget.side.setValue(32)
    widget.suggest()
    for _ in range(300):
        if widget.is_choosing:
            QTest.qWait(100)
    kept, keys = list(viewer.layers), len(viewer.keymap)
    by_dock(viewer, closed)
    assert list(viewer.layers) == kept
    assert 2 == len(viewer.keymap) < keys
    widget.layer.data[:4, :4] = 7
    by_dock(viewer, dock)
    assert list((project.data / "labels" / ".drafts").glob("*.tif"))
    assert not viewer.keymap


@ways
def test_a_run_is_stopped_as_ctrl_c_does(viewer, project, close):
    widget = RunWidget(viewer, project.data)
    dock = viewer.window.add_dock_widget(widget, name="Run the workflow")
    kept = project.folder / "kept"
    script = f"trap 'sleep 1; touch {kept}; exit 3' INT; echo ready; while :; do sleep 0.1; done"
    widget.run = run = Run(["bash", "-c", script], project.folder)
    run.start()
    wait(lambda: run.lines)
    close(viewer, dock)
    assert run.stopped
    wait(lambda: run.code is not None)
    assert (kept.is_file(), run.code) == (True, 3)


def wait(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert condition()
