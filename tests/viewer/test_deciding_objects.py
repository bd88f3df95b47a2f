"""Objects accepted and rejected in the real window, and what is kept of it."""

import pandas as pd
import pytest

pytest.importorskip("napari", reason="the extra fewstain[napari] is not installed", exc_type=ImportError)
pytest.importorskip("qtpy.QtWidgets", reason="libraries that Qt needs are missing", exc_type=ImportError)

from qtpy.QtTest import QTest

from fewstain.images.read import read_labels
from fewstain.viewer import opened_review
from fewstain.viewer.inspect_widget import InspectWidget


def test_keys_accept_and_reject_count_down_and_are_kept(widget, project, hands):
    hands.click(50, 52)
    hands.press("A")
    assert hands.decisions()[2] == "accepted"
    assert widget.progress.format().startswith("5 objects left, 2 of them in this image")
    assert len(widget.chosen) == 1  # it went on to the next
    other = widget.chosen[0]
    hands.press("R")
    assert hands.decisions()[other] == "rejected"
    saved = read_labels(project.results / "corrected" / "b.tif")
    assert not (saved == other).any()
    assert (read_labels(project.results / "masks" / "b.tif") == other).any()
    again = InspectWidget(widget.viewer, project.results)
    pd.testing.assert_series_equal(again.review.table["decision"], widget.review.table["decision"])
    again.close_review()


@pytest.mark.parametrize("key", "DR")
def test_what_was_taken_away_is_not_accepted(widget, project, key, hands):
    widget.choose([2])
    hands.press(key)
    widget.choose([2])
    hands.press("A")
    assert widget.status.text() == "Nothing is drawn there: draw first, or Ctrl+Z brings it back."
    assert hands.decisions() == hands.kept() == {1: "", 2: "rejected", 3: ""}
    assert not (read_labels(project.results / "corrected" / "b.tif") == 2).any()
    hands.undo()
    hands.press("A")
    assert hands.decisions() == hands.kept() == {1: "", 2: "accepted", 3: ""}


def test_accepting_what_was_joined_leaves_the_number_that_is_gone_rejected(widget, project, hands):
    widget.choose([1, 3])
    hands.press("J")
    hands.press("A")
    assert hands.kept() == {1: "accepted", 2: "", 3: "rejected"}


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


def test_an_image_looked_through_becomes_labels(widget, project, hands):
    assert not widget.learn_button.isEnabled()
    widget.choose([1, 2, 3])
    widget.accept()
    assert widget.learn_button.isEnabled()
    widget.learn_button.click()
    assert (project.data / "labels" / "b.tif").is_file()
    widget.discard_button.click()
    assert hands.decisions() == {1: "", 2: "", 3: ""}


def test_corrections_of_an_earlier_model_are_told(widget, project, hands):
    measurements = project.results / "measurements.csv"
    for model in ("old", "new"):
        pd.read_csv(measurements).assign(model_hash=model).to_csv(measurements, index=False)
        widget.open_folder(project.results)
        told = widget.status.text()
        if model == "old":
            widget.choose([2])
            widget.accept()
    assert told.startswith("Corrected on an earlier model's masks: b.")
    assert hands.decisions() == {1: "", 2: "accepted", 3: ""}
    widget.open_folder(project.results)
    assert widget.review.carried == []


def test_accepting_stays_in_the_image_until_all_of_it_is_decided(widget, hands):
    hands.press("N")
    hands.press("N")  # the first one is left for later
    for _ in range(3):
        hands.press("A")
    assert (widget.image, widget.chosen) == ("b", [])
    assert set(hands.decisions().values()) == {"accepted"}
    assert widget.status.text().startswith("All of this image is decided")
    hands.press("A")  # once too often
    assert set(hands.decisions().values()) == {"accepted"}


def test_accept_again_takes_it_back(widget, hands):
    widget.choose([2])
    hands.press("A")
    widget.choose([2])
    hands.press("A")
    assert hands.decisions()[2] == ""
    assert widget.chosen == [2]


def test_undo_brings_back_what_was_decided(widget, project, hands):
    widget.choose([2])
    hands.press("A")
    widget.choose([2])
    hands.press("R")
    assert pd.read_csv(project.results / "corrected" / "b.csv").set_index("label")["decision"][2] == "rejected"
    hands.undo()
    widget.choose([3])
    hands.press("S")
    hands.undo()
    assert hands.decisions() == {1: "", 2: "accepted", 3: ""}


def test_forgotten_corrections_are_moved_aside_even_when_a_part_is_chosen(widget, project, hands):
    widget.choose([3])
    hands.press("S")
    widget.choose([4])
    widget.discard_button.click()
    assert hands.decisions() == {1: "", 2: "", 3: ""}
    assert widget.chosen == []
    aside = project.results / "corrected" / "forgotten" / "1"
    assert str(aside) in widget.status.text()
    assert read_labels(aside / "b.tif").max() == 4
    assert (aside / "b.csv").is_file()
    for path in aside.iterdir():
        path.rename(project.results / "corrected" / path.name)
    widget.open_folder(project.results)
    assert hands.decisions() == {1: "", 2: "", 3: "changed", 4: "changed"}
    widget.open_image("a")
    widget.discard_button.click()
    assert widget.status.text() == "Nothing was decided in this image."
