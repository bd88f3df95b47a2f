"""Objects split, joined and drawn anew in the real window."""

import numpy as np
import pytest

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from qtpy.QtTest import QTest


def test_split_join_and_undo_keep_table_and_mask_in_step(widget, hands):
    hands.click(32, 10)
    hands.press("S")
    assert hands.decisions() == {1: "", 2: "", 3: "changed", 4: "changed"}
    widget.choose([3, 4])
    hands.press("J")
    assert hands.decisions()[4] == "rejected"
    assert (widget.layer.data == 3).sum() == 96
    hands.undo()
    assert sorted(np.unique(widget.layer.data)) == [0, 1, 2, 3, 4]
    assert hands.decisions()[4] != "rejected"


def test_a_part_that_is_split_off_does_not_get_the_number_of_a_rejected_object(widget, hands):
    widget.choose([3])
    hands.press("R")
    widget.choose([1])
    hands.press("S")
    assert hands.decisions() == {1: "changed", 2: "", 3: "rejected", 4: "changed"}
    assert sorted(np.unique(widget.layer.data)) == [0, 1, 2, 4]


def test_why_a_rejected_object_is_neither_split_nor_joined_is_told(widget, hands):
    widget.choose([3])
    hands.press("R")
    before = widget.layer.data.copy()
    for labels, key in (([3], "S"), ([1, 3], "J"), ([3], "J")):
        widget.status.clear()
        widget.choose(labels)
        hands.press(key)
        assert widget.status.text() == "Object 3 was rejected: Ctrl+Z brings it back."
    widget.choose([1])
    hands.press("J")
    assert widget.status.text().startswith("Choose two objects or more to join")
    hands.press("M")
    hands.press("S")
    assert widget.status.text().startswith("Nothing is drawn there")
    assert (widget.layer.data == before).all()
    assert hands.decisions() == {1: "", 2: "", 3: "rejected"}


def test_after_a_split_and_after_every_stroke_the_same_object_is_chosen(widget, hands):
    widget.choose([1])  # not the last row
    hands.press("S")
    assert widget.chosen == [1]
    hands.undo()
    hands.press("D")
    for column in (9, 11):
        hands.stroke(10, column)
        assert widget.chosen == [1]
        assert widget.layer.selected_label == 1
    assert [widget.model.objects_at([widget.model.order[row]]) for row in widget.view.chosen] == [[("b", 1)]]
    hands.press("A")
    assert hands.decisions() == {1: "accepted", 2: "", 3: ""}
    assert (widget.layer.data == 2).sum() == 400


def test_redraw_takes_the_object_away_and_hands_over_the_brush(widget, hands):
    hands.click(50, 52)
    hands.press("D")
    assert not (widget.layer.data == 2).any()
    assert (widget.layer.mode, widget.layer.selected_label) == ("paint", 2)
    widget.layer.paint((50, 52), 2)
    QTest.qWait(50)
    assert hands.decisions()[2] == "changed"
    hands.press("A")
    assert widget.layer.mode == "pan_zoom"


def test_the_brush_stays_in_hand_until_something_is_drawn(widget, hands):
    for key, place in (("D", (50, 50)), ("M", (10, 40))):
        widget.choose([2])
        hands.press(key)
        hands.press("A")
        assert widget.layer.mode == "paint"
        hands.stroke(*place)
        hands.press("A")
        assert widget.layer.mode == "pan_zoom"
    assert hands.decisions() == {1: "", 2: "accepted", 3: "", 4: "accepted"}


def test_a_missed_cell_gets_its_own_number_and_both_its_strokes(widget, hands):
    widget.choose([2])
    hands.press("M")
    assert widget.layer.mode == "paint"
    hands.stroke(10, 40)
    hands.stroke(10, 44)
    assert hands.decisions() == {1: "", 2: "", 3: "", 4: "changed"}
    assert (widget.layer.data == 2).sum() == 400
    assert widget.layer.data[10, 40] == widget.layer.data[10, 44] == 4
    hands.press("A")
    assert hands.decisions() == {1: "", 2: "", 3: "", 4: "accepted"}


def test_a_stroke_of_the_users_own_colour_leaves_colour_and_choice_alone(widget, hands):
    widget.choose([2])
    widget.layer.selected_label = 9
    hands.stroke(10, 40)
    assert (widget.layer.selected_label, widget.chosen) == (9, [2])


@pytest.mark.parametrize("key", "ARSJN")
def test_every_action_but_drawing_puts_the_brush_away(widget, key, hands):
    widget.choose([2])
    hands.press("D")
    hands.stroke(50, 50, size=10)
    hands.press(key)
    assert widget.layer.mode == "pan_zoom"


def test_another_object_is_not_drawn_into_by_the_click_that_chooses_it(widget, hands):
    widget.choose([2])
    hands.press("D")
    widget.view.selectRow(widget.model.rows_of([("b", 3)])[0])
    assert (widget.layer.mode, widget.layer.selected_label) == ("pan_zoom", 3)
