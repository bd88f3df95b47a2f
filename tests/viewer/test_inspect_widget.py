"""The table and the image, linked both ways, in the real window."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from qtpy.QtCore import QPoint, Qt
from qtpy.QtTest import QTest

from fewstain.images.read import read_labels
from fewstain.images.write import write_labels
from fewstain.pixels.decisions import read_objects
from fewstain.viewer import opened_review
from fewstain.viewer.inspect_widget import InspectWidget


@pytest.fixture
def widget(viewer, project):
    widget = InspectWidget(viewer, project.results)
    viewer.window.add_dock_widget(widget, name="Look at objects")
    QTest.qWait(300)
    viewer.reset_view()
    yield widget
    widget.close_review()


def canvas(widget):
    return widget.viewer.window._qt_viewer.canvas.native


def click(widget, y, x, modifier=Qt.KeyboardModifier.NoModifier):
    native, camera = canvas(widget), widget.viewer.camera
    place = QPoint(
        round(native.width() / 2 + (x - camera.center[-1]) * camera.zoom),
        round(native.height() / 2 + (y - camera.center[-2]) * camera.zoom),
    )
    QTest.mouseClick(native, Qt.MouseButton.LeftButton, modifier, place)
    QTest.qWait(50)


def press(widget, key):
    QTest.keyClick(canvas(widget), key)
    QTest.qWait(50)


def decisions(widget, image="b"):
    table = widget.review.table
    rows = table[table["image"] == image]
    return dict(zip(rows["label"], rows["decision"], strict=True))


def kept(project, image="b"):
    """Decisions as they lie beside the corrected mask."""
    table = read_objects(project.results / "corrected" / f"{image}.csv").fillna({"decision": ""})
    return dict(zip(table["label"], table["decision"], strict=True))


def test_the_most_uncertain_objects_come_first_and_a_row_leads_to_its_cell(widget):
    assert widget.image == "b"
    shown = widget.model.table.loc[widget.model.order]
    assert shown["uncertainty"].is_monotonic_decreasing
    widget.view.selectRow(int(np.flatnonzero((shown["image"] == "a") & (shown["label"] == 2))[0]))
    assert widget.image == "a"
    assert widget.viewer.camera.center[-2:] == pytest.approx((49.5, 49.5))
    assert widget.chosen == [2]
    frame = widget.viewer.layers["chosen"].data[0]
    assert frame.min() == 38
    assert frame.max() == 61


def test_a_click_on_a_row_leads_to_its_cell(widget):
    view = widget.view
    index = widget.model.index(widget.model.rows_of([("a", 2)])[0], 0)
    view.scrollTo(index)
    QTest.mouseClick(view.viewport(), Qt.MouseButton.LeftButton, pos=view.visualRect(index).center())
    assert (widget.image, widget.chosen) == ("a", [2])
    assert widget.viewer.camera.center[-2:] == pytest.approx((49.5, 49.5))


def test_clicks_on_a_head_sort_by_its_column_both_ways(widget, project):
    measurements = project.results / "measurements.csv"
    table = pd.read_csv(measurements)
    table.loc[[1, 4], "intensity_mean_0"] = [np.nan, 7.5]
    table.to_csv(measurements, index=False)
    widget.open_folder(project.results)
    widget.choose([3])
    for name in ("area_px", "intensity_mean_0"):
        click_on_head(widget.view, widget.model.columns.index(name))
        assert shown(widget, name) == sorted(table[name].dropna())
        click_on_head(widget.view, widget.model.columns.index(name))
        assert shown(widget, name) == sorted(table[name].dropna(), reverse=True)
    assert widget.model.objects_at(widget.model.order[-1:]) == [("a", 2)]  # has no intensity
    assert widget.chosen == [3]


def click_on_head(view, column):
    view.scrollTo(view.model().index(0, column))
    head = view.horizontalHeader()
    place = QPoint(head.sectionViewportPosition(column) + head.sectionSize(column) // 2, head.height() // 2)
    QTest.mouseClick(head.viewport(), Qt.MouseButton.LeftButton, pos=place)


def shown(widget, name):
    """Values of a column from top to bottom; those that are missing must come last, and are left out."""
    values = widget.model.table.loc[widget.model.order, name].tolist()
    count = int(np.isfinite(values).sum())
    assert np.isfinite(values[:count]).all()
    return values[:count]


def test_a_click_on_a_cell_shows_its_row_and_shift_adds_another(widget):
    click(widget, 50, 52)
    assert widget.chosen == [2]
    widget.viewer.reset_view()
    QTest.qWait(50)
    click(widget, 32, 20, Qt.KeyboardModifier.ShiftModifier)
    assert sorted(widget.chosen) == [2, 3]


def test_keys_accept_and_reject_count_down_and_are_kept(widget, project):
    click(widget, 50, 52)
    press(widget, Qt.Key.Key_A)
    assert decisions(widget)[2] == "accepted"
    assert widget.progress.format().startswith("5 objects left, 2 of them in this image")
    assert len(widget.chosen) == 1  # it went on to the next
    other = widget.chosen[0]
    press(widget, Qt.Key.Key_R)
    assert decisions(widget)[other] == "rejected"
    saved = read_labels(project.results / "corrected" / "b.tif")
    assert not (saved == other).any()
    assert (read_labels(project.results / "masks" / "b.tif") == other).any()
    again = InspectWidget(widget.viewer, project.results)
    assert decisions(again) == decisions(widget)
    again.close_review()


def test_split_join_and_undo_keep_table_and_mask_in_step(widget):
    click(widget, 32, 10)
    press(widget, Qt.Key.Key_S)
    assert decisions(widget) == {1: "", 2: "", 3: "changed", 4: "changed"}
    widget.choose([3, 4])
    press(widget, Qt.Key.Key_J)
    assert decisions(widget)[4] == "rejected"
    assert (widget.layer.data == 3).sum() == 96
    QTest.keyClick(canvas(widget), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.qWait(50)
    assert sorted(np.unique(widget.layer.data)) == [0, 1, 2, 3, 4]
    assert decisions(widget)[4] != "rejected"


def test_a_part_that_is_split_off_does_not_get_the_number_of_a_rejected_object(widget):
    widget.choose([3])
    press(widget, Qt.Key.Key_R)
    widget.choose([1])
    press(widget, Qt.Key.Key_S)
    assert decisions(widget) == {1: "changed", 2: "", 3: "rejected", 4: "changed"}
    assert sorted(np.unique(widget.layer.data)) == [0, 1, 2, 4]


def test_redraw_takes_the_object_away_and_hands_over_the_brush(widget):
    click(widget, 50, 52)
    press(widget, Qt.Key.Key_D)
    assert not (widget.layer.data == 2).any()
    assert (widget.layer.mode, widget.layer.selected_label) == ("paint", 2)
    widget.layer.paint((50, 52), 2)
    QTest.qWait(50)
    assert decisions(widget)[2] == "changed"
    press(widget, Qt.Key.Key_A)
    assert widget.layer.mode == "pan_zoom"


@pytest.mark.parametrize("key", "DR")
def test_what_was_taken_away_is_not_accepted(widget, project, key):
    widget.choose([2])
    press(widget, getattr(Qt.Key, f"Key_{key}"))
    widget.choose([2])
    press(widget, Qt.Key.Key_A)
    assert widget.status.text() == "Nothing is drawn there: draw first, or Ctrl+Z brings it back."
    assert decisions(widget) == kept(project) == {1: "", 2: "rejected", 3: ""}
    assert not (read_labels(project.results / "corrected" / "b.tif") == 2).any()
    undo(widget)
    press(widget, Qt.Key.Key_A)
    assert decisions(widget) == kept(project) == {1: "", 2: "accepted", 3: ""}


def test_the_brush_stays_in_hand_until_something_is_drawn(widget):
    for key, place in ((Qt.Key.Key_D, (50, 50)), (Qt.Key.Key_M, (10, 40))):
        widget.choose([2])
        press(widget, key)
        press(widget, Qt.Key.Key_A)
        assert widget.layer.mode == "paint"
        stroke(widget, *place)
        press(widget, Qt.Key.Key_A)
        assert widget.layer.mode == "pan_zoom"
    assert decisions(widget) == {1: "", 2: "accepted", 3: "", 4: "accepted"}


def test_accepting_what_was_joined_leaves_the_number_that_is_gone_rejected(widget, project):
    widget.choose([1, 3])
    press(widget, Qt.Key.Key_J)
    press(widget, Qt.Key.Key_A)
    assert kept(project) == {1: "accepted", 2: "", 3: "rejected"}


def test_why_a_rejected_object_is_neither_split_nor_joined_is_told(widget):
    widget.choose([3])
    press(widget, Qt.Key.Key_R)
    before = widget.layer.data.copy()
    for labels, key in (([3], Qt.Key.Key_S), ([1, 3], Qt.Key.Key_J), ([3], Qt.Key.Key_J)):
        widget.status.clear()
        widget.choose(labels)
        press(widget, key)
        assert widget.status.text() == "Object 3 was rejected: Ctrl+Z brings it back."
    widget.choose([1])
    press(widget, Qt.Key.Key_J)
    assert widget.status.text().startswith("Choose two objects or more to join")
    press(widget, Qt.Key.Key_M)
    press(widget, Qt.Key.Key_S)
    assert widget.status.text().startswith("Nothing is drawn there")
    assert (widget.layer.data == before).all()
    assert decisions(widget) == {1: "", 2: "", 3: "rejected"}


def test_large_masks_are_kept_even_when_the_hands_never_rest(viewer, project, monkeypatch):
    for name, value in (("_SAVED_AT_ONCE", 0), ("_REST_MS", 60_000), ("_LATEST_MS", 500)):
        monkeypatch.setattr(opened_review, name, value)
    widget = InspectWidget(viewer, project.results)
    widget.choose([2])
    saved = project.results / "corrected" / "b.tif"
    for _ in range(60):
        widget.accept()  # and back again
        widget.choose([2])
        QTest.qWait(50)
        if saved.exists():
            break
    assert saved.exists()
    widget.close_review()


def test_filters_and_keys_in_the_table(widget):
    widget.this_image.setChecked(True)
    assert widget.model.rowCount() == 3
    widget.view.selectRow(0)
    QTest.keyClick(widget.view, Qt.Key.Key_A)
    widget.shown.setCurrentText("Accepted")
    assert widget.model.rowCount() == 1
    widget.shown.setCurrentText("Left to look at")
    assert widget.model.rowCount() == 2


def test_an_image_looked_through_becomes_labels(widget, project):
    assert not widget.learn_button.isEnabled()
    widget.choose([1, 2, 3])
    widget.accept()
    assert widget.learn_button.isEnabled()
    widget.learn_button.click()
    assert (project.data / "labels" / "b.tif").is_file()
    widget.discard_button.click()
    assert decisions(widget) == {1: "", 2: "", 3: ""}


def test_corrections_of_an_earlier_model_are_told(widget, project):
    measurements = project.results / "measurements.csv"
    for model in ("old", "new"):
        pd.read_csv(measurements).assign(model_hash=model).to_csv(measurements, index=False)
        widget.open_folder(project.results)
        told = widget.status.text()
        if model == "old":
            widget.choose([2])
            widget.accept()
    assert told.startswith("Corrected on an earlier model's masks: b.")
    assert decisions(widget) == {1: "", 2: "accepted", 3: ""}
    widget.open_folder(project.results)
    assert widget.review.carried == []


def test_a_table_that_a_run_made_anew_is_read_before_the_next_image(widget, project):
    measurements = project.results / "measurements.csv"
    table = pd.read_csv(measurements)
    table[(table["image"] != "a") | (table["label"] < 3)].to_csv(measurements, index=False)
    assert len(widget.review.table) == 6
    labels = read_labels(project.results / "masks" / "a.tif")
    write_labels(project.results / "masks" / "a.tif", np.where(labels == 3, 0, labels))
    widget.open_image("a")
    assert decisions(widget, "a") == {1: "", 2: ""}


def test_a_mask_that_a_run_has_just_made_is_refused_and_the_open_one_stays(widget, project):
    (project.results / "measurements.csv").unlink()
    labels = read_labels(project.results / "masks" / "a.tif")
    write_labels(project.results / "masks" / "a.tif", np.where(labels == 3, 0, labels))
    widget.open_image("a")
    assert decisions(widget, "a") == {1: "", 2: "", 3: ""}
    assert (widget.image, widget.images.currentText()) == ("b", "b")
    widget.choose([3])
    press(widget, Qt.Key.Key_R)
    assert decisions(widget) == {1: "", 2: "", 3: "rejected"}
    assert not (read_labels(project.results / "corrected" / "b.tif") == 3).any()


def test_nothing_of_an_earlier_review_stays_on_the_screen(widget, project):
    widget.discard_button.click()
    pd.read_csv(project.results / "measurements.csv").iloc[:-1].to_csv(
        project.results / "measurements.csv", index=False
    )
    widget.open_image("b")  # refused, as the table, made anew, does not tell of its last object
    assert (widget.image, widget.mask) == (None, None)
    assert not widget.viewer.layers


def test_uncertainty_is_hidden_until_asked_for(widget):
    layer = widget.viewer.layers["b uncertainty"]
    assert not layer.visible
    press(widget, Qt.Key.Key_U)
    assert layer.visible


def stroke(widget, *place, size=4):
    widget.layer.brush_size = size
    widget.layer.paint(place, widget.layer.selected_label)
    QTest.qWait(50)


def undo(widget):
    QTest.keyClick(canvas(widget), Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    QTest.qWait(50)


def test_after_a_split_and_after_every_stroke_the_same_object_is_chosen(widget):
    widget.choose([1])  # not the last row
    press(widget, Qt.Key.Key_S)
    assert widget.chosen == [1]
    undo(widget)
    press(widget, Qt.Key.Key_D)
    for column in (9, 11):
        stroke(widget, 10, column)
        assert widget.chosen == [1]
        assert widget.layer.selected_label == 1
    assert [widget.model.objects_at([widget.model.order[row]]) for row in widget.view.chosen] == [[("b", 1)]]
    press(widget, Qt.Key.Key_A)
    assert decisions(widget) == {1: "accepted", 2: "", 3: ""}
    assert (widget.layer.data == 2).sum() == 400


def test_objects_stay_chosen_when_the_table_is_sorted_or_no_longer_shows_them(widget):
    widget.choose([1])
    widget.view.sortByColumn(widget.model.columns.index("area_px"), Qt.SortOrder.AscendingOrder)
    assert widget.model.objects_at(widget.model.order[widget.view.chosen]) == [("b", 1)]
    widget.shown.setCurrentText("Left to look at")
    press(widget, Qt.Key.Key_D)
    assert widget.view.chosen == []
    stroke(widget, 10, 10)
    press(widget, Qt.Key.Key_A)
    assert decisions(widget)[1] == "accepted"


def test_a_missed_cell_gets_its_own_number_and_both_its_strokes(widget):
    widget.choose([2])
    press(widget, Qt.Key.Key_M)
    assert widget.layer.mode == "paint"
    stroke(widget, 10, 40)
    stroke(widget, 10, 44)
    assert decisions(widget) == {1: "", 2: "", 3: "", 4: "changed"}
    assert (widget.layer.data == 2).sum() == 400
    assert widget.layer.data[10, 40] == widget.layer.data[10, 44] == 4
    press(widget, Qt.Key.Key_A)
    assert decisions(widget) == {1: "", 2: "", 3: "", 4: "accepted"}


def test_a_stroke_of_the_users_own_colour_leaves_colour_and_choice_alone(widget):
    widget.choose([2])
    widget.layer.selected_label = 9
    stroke(widget, 10, 40)
    assert (widget.layer.selected_label, widget.chosen) == (9, [2])


@pytest.mark.parametrize("key", "ARSJN")
def test_every_action_but_drawing_puts_the_brush_away(widget, key):
    widget.choose([2])
    press(widget, Qt.Key.Key_D)
    stroke(widget, 50, 50, size=10)
    press(widget, getattr(Qt.Key, f"Key_{key}"))
    assert widget.layer.mode == "pan_zoom"


def test_another_object_is_not_drawn_into_by_the_click_that_chooses_it(widget):
    widget.choose([2])
    press(widget, Qt.Key.Key_D)
    widget.view.selectRow(widget.model.rows_of([("b", 3)])[0])
    assert (widget.layer.mode, widget.layer.selected_label) == ("pan_zoom", 3)


def test_next_goes_on_from_the_chosen_one_through_all_images_and_round(widget):
    seen = []
    for _ in range(7):
        press(widget, Qt.Key.Key_N)
        seen.append((widget.image, *widget.chosen))
    assert len(set(seen[:6])) == 6
    assert [image for image, _ in seen] == ["b"] * 3 + ["a"] * 3 + ["b"]
    assert seen[6] == seen[0]


def test_accepting_stays_in_the_image_until_all_of_it_is_decided(widget):
    press(widget, Qt.Key.Key_N)
    press(widget, Qt.Key.Key_N)  # the first one is left for later
    for _ in range(3):
        press(widget, Qt.Key.Key_A)
    assert (widget.image, widget.chosen) == ("b", [])
    assert set(decisions(widget).values()) == {"accepted"}
    assert widget.status.text().startswith("All of this image is decided")
    press(widget, Qt.Key.Key_A)  # once too often
    assert set(decisions(widget).values()) == {"accepted"}


def test_accept_again_takes_it_back(widget):
    widget.choose([2])
    press(widget, Qt.Key.Key_A)
    widget.choose([2])
    press(widget, Qt.Key.Key_A)
    assert decisions(widget)[2] == ""
    assert widget.chosen == [2]


def test_undo_brings_back_what_was_decided(widget, project):
    widget.choose([2])
    press(widget, Qt.Key.Key_A)
    widget.choose([2])
    press(widget, Qt.Key.Key_R)
    assert pd.read_csv(project.results / "corrected" / "b.csv").set_index("label")["decision"][2] == "rejected"
    undo(widget)
    widget.choose([3])
    press(widget, Qt.Key.Key_S)
    undo(widget)
    assert decisions(widget) == {1: "", 2: "accepted", 3: ""}


def test_forgotten_corrections_are_moved_aside_even_when_a_part_is_chosen(widget, project):
    widget.choose([3])
    press(widget, Qt.Key.Key_S)
    widget.choose([4])
    widget.discard_button.click()
    assert decisions(widget) == {1: "", 2: "", 3: ""}
    assert widget.chosen == []
    aside = project.results / "corrected" / "forgotten" / "1"
    assert str(aside) in widget.status.text()
    assert read_labels(aside / "b.tif").max() == 4
    assert (aside / "b.csv").is_file()
    for path in aside.iterdir():
        path.rename(project.results / "corrected" / path.name)
    widget.open_folder(project.results)
    assert decisions(widget) == {1: "", 2: "", 3: "changed", 4: "changed"}
    widget.open_image("a")
    widget.discard_button.click()
    assert widget.status.text() == "Nothing was decided in this image."
