"""Two widgets in one window: a key does what the one that shows its layers says, and changes nothing unseen."""

import numpy as np
import pytest

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from qtpy.QtCore import Qt
from qtpy.QtTest import QTest

from fewstain.images.read import read_labels
from fewstain.viewer.inspect_widget import InspectWidget
from fewstain.viewer.label_widget import LabelWidget
from fewstain.viewer.session import begin, suggest_new
from fewstain.viewer.stage import clear
from fewstain.viewer.study import locate


@pytest.fixture
def both(viewer, project):
    """ "Label windows" with four windows, and then "Look at objects", which shows image b."""
    study = locate(project.data)
    begin(study, suggest_new(study, n=4, size=32))
    label = LabelWidget(viewer, project.data)
    inspect = InspectWidget(viewer, project.results)
    for widget in (label, inspect):
        viewer.window.add_dock_widget(widget)
    QTest.qWait(300)
    yield label, inspect
    label.close_session()
    inspect.close_review()


def press(viewer, key):
    QTest.keyClick(viewer.window._qt_viewer.canvas.native, key)
    QTest.qWait(50)


def test_keys_belong_to_the_widget_that_shows_its_layers(both, viewer, project):
    label, inspect = both
    inspect.choose([3])
    label.open(0)
    label.layer.data[:] = 0
    label.layer.data[2:12, 2:12] = 1
    window = label.window_
    for key in (Qt.Key.Key_A, Qt.Key.Key_R, Qt.Key.Key_J, Qt.Key.Key_D, Qt.Key.Key_S):
        press(viewer, key)
    assert not (project.results / "corrected").exists()
    assert (inspect.review.table["decision"] == "").all()
    assert (read_labels(project.data / "labels" / f"{window.name}.tif")[2:12, 2:12] == 1).all()
    inspect.open_image("b")
    inspect.choose([3])
    before = sorted(path.name for path in (project.data / "labels").iterdir())
    press(viewer, Qt.Key.Key_S)
    assert np.unique(inspect.layer.data).tolist() == [0, 1, 2, 3, 4]
    assert sorted(path.name for path in (project.data / "labels").iterdir()) == before


def test_a_row_of_an_image_that_is_no_longer_shown_shows_it_again(both):
    label, inspect = both
    label.open(0)
    assert inspect.layer is None
    inspect.view.selectRow(0)
    assert inspect.layer.name == "b masks"
    assert len(inspect.chosen) == 1


def test_a_window_that_is_not_shown_is_shown_again_before_it_is_saved(both, viewer):
    label, _ = both
    label.open(0)
    window = label.window_
    clear(viewer)  # as "Run the workflow" does when it is done
    label.save()
    assert not label.session.is_done(window)
    assert label.is_shown
    label.save()
    assert label.session.is_done(window)


def test_what_was_corrected_is_kept_even_if_another_widget_took_it_off_the_screen(both, project):
    label, inspect = both
    inspect._dirty = True  # as of a large image, until the hands rest
    label.open(0)
    inspect.keep()
    assert (project.results / "corrected" / "b.tif").is_file()
