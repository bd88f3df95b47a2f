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


def test_a_click_on_a_cell_shows_its_row_and_shift_adds_another(widget, hands):
    hands.click(50, 52)
    assert widget.chosen == [2]
    widget.viewer.reset_view()
    QTest.qWait(50)
    hands.click(32, 20, shift=True)
    assert sorted(widget.chosen) == [2, 3]


def test_filters_and_keys_in_the_table(widget):
    widget.this_image.setChecked(True)
    assert widget.model.rowCount() == 3
    widget.view.selectRow(0)
    QTest.keyClick(widget.view, Qt.Key.Key_A)
    widget.shown.setCurrentText("Accepted")
    assert widget.model.rowCount() == 1
    widget.shown.setCurrentText("Left to look at")
    assert widget.model.rowCount() == 2


def test_objects_stay_chosen_when_the_table_is_sorted_or_no_longer_shows_them(widget, hands):
    widget.choose([1])
    widget.view.sortByColumn(widget.model.columns.index("area_px"), Qt.SortOrder.AscendingOrder)
    assert widget.model.objects_at(widget.model.order[widget.view.chosen]) == [("b", 1)]
    widget.shown.setCurrentText("Left to look at")
    hands.press("D")
    assert widget.view.chosen == []
    hands.stroke(10, 10)
    hands.press("A")
    assert hands.decisions()[1] == "accepted"


def test_next_goes_on_from_the_chosen_one_through_all_images_and_round(widget, hands):
    seen = []
    for _ in range(7):
        hands.press("N")
        seen.append((widget.image, *widget.chosen))
    assert len(set(seen[:6])) == 6
    assert [image for image, _ in seen] == ["b"] * 3 + ["a"] * 3 + ["b"]
    assert seen[6] == seen[0]


def test_uncertainty_is_hidden_until_asked_for(widget, hands):
    layer = widget.viewer.layers["b uncertainty"]
    assert not layer.visible
    hands.press("U")
    assert layer.visible


def test_a_table_that_a_run_made_anew_is_read_before_the_next_image(widget, project, hands):
    measurements = project.results / "measurements.csv"
    table = pd.read_csv(measurements)
    table[(table["image"] != "a") | (table["label"] < 3)].to_csv(measurements, index=False)
    assert len(widget.review.table) == 6
    labels = read_labels(project.results / "masks" / "a.tif")
    write_labels(project.results / "masks" / "a.tif", np.where(labels == 3, 0, labels))
    widget.open_image("a")
    assert hands.decisions("a") == {1: "", 2: ""}


def test_a_mask_that_a_run_has_just_made_is_refused_and_the_open_one_stays(widget, project, hands):
    (project.results / "measurements.csv").unlink()
    labels = read_labels(project.results / "masks" / "a.tif")
    write_labels(project.results / "masks" / "a.tif", np.where(labels == 3, 0, labels))
    widget.open_image("a")
    assert hands.decisions("a") == {1: "", 2: "", 3: ""}
    assert (widget.image, widget.images.currentText()) == ("b", "b")
    widget.choose([3])
    hands.press("R")
    assert hands.decisions() == {1: "", 2: "", 3: "rejected"}
    assert not (read_labels(project.results / "corrected" / "b.tif") == 3).any()


def test_nothing_of_an_earlier_review_stays_on_the_screen(widget, project):
    widget.discard_button.click()
    pd.read_csv(project.results / "measurements.csv").iloc[:-1].to_csv(
        project.results / "measurements.csv", index=False
    )
    widget.open_image("b")  # refused, as the table, made anew, does not tell of its last object
    assert (widget.image, widget.mask) == (None, None)
    assert not widget.viewer.layers
