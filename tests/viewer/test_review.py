import numpy as np
import pandas as pd
import pytest

from fewstain.errors import UserError
from fewstain.images.read import read_image, read_labels
from fewstain.images.write import write_labels
from fewstain.storage import sha256_file, write_json
from fewstain.viewer.corrections import merge, split
from fewstain.viewer.review import Decision, Review
from fewstain.viewer.study import Study, locate


@pytest.fixture
def review(project):
    """The objects of both images, b open."""
    review = Review(locate(project.results))
    review.open("b", read_image(project.data / "images" / "b.tif").pixels, mask(project))
    return review


def mask(project):
    return read_labels(project.results / "masks" / "b.tif")


def without(labels, label):
    return np.where(labels == label, 0, labels)


def decisions(review, image="b"):
    rows = review.table[review.table["image"] == image]
    return dict(zip(rows["label"], rows["decision"], strict=True))


def test_every_object_is_open_at_first(review):
    assert len(review.table) == review.left == 6
    assert decisions(review) == {1: "", 2: "", 3: ""}


def test_accepting_counts_down_and_is_kept(review, project):
    review.decide([1, 3], Decision.ACCEPTED)
    assert (review.left, review.left_in("b"), review.left_in("a")) == (4, 1, 3)
    review.write(mask(project))
    again = Review(locate(project.results))
    assert decisions(again) == {1: "accepted", 2: "", 3: "accepted"}
    assert again.left == 4
    assert len(again.table) == 6


def test_an_object_that_is_gone_is_rejected_and_may_come_back(review, project):
    before = mask(project)
    assert review.sync(without(before, 2)) == []
    assert decisions(review)[2] == "rejected"
    review.sync(before)
    assert decisions(review)[2] == ""


def test_the_next_number_is_neither_in_the_mask_nor_that_of_a_rejected_object(review, project):
    assert review.next_label(mask(project)) == 4
    review.sync(without(mask(project), 3))
    assert review.next_label(without(mask(project), 3)) == 4
    assert review.next_label(np.array([[0, 9]])) == 10


def test_parts_are_measured_anew(review, project):
    cut = split(mask(project), 3)
    assert review.sync(cut) == [3, 4]
    rows = review.table[review.table["image"] == "b"].set_index("label")
    assert rows["area_px"][3] + rows["area_px"][4] == 4 * 24
    assert rows["intensity_mean_0"][4] == 180
    assert decisions(review) == {1: "", 2: "", 3: "changed", 4: "changed"}
    columns = np.nonzero(cut == 4)[1]
    assert rows["centroid_x_px"][4] == pytest.approx(columns.mean())
    assert review.sync(cut) == []


def test_parts_have_the_uncertainty_of_the_map_that_is_shown_if_there_is_one(project):
    cut = split(mask(project), 3)
    pixels = read_image(project.data / "images" / "b.tif").pixels
    for uncertainty, expected in ((None, [np.nan, np.nan]), (np.where(cut == 4, 0.5, 0.25), [0.25, 0.5])):
        review = Review(locate(project.results))
        review.open("b", pixels, mask(project), uncertainty)
        review.sync(cut)
        rows = review.table[review.table["image"] == "b"].set_index("label")
        np.testing.assert_allclose(rows["uncertainty"][[3, 4]], expected)


def test_a_change_taken_back_brings_the_rows_back_as_they_were(review, project):
    review.decide([3], Decision.ACCEPTED)
    before, cut = review.table.copy(), split(mask(project), 3)
    review.sync(cut)
    review.decide([4], Decision.ACCEPTED)
    review.sync(mask(project), undone=True)
    after = review.table.sort_values(["image", "label"], ignore_index=True)
    pd.testing.assert_frame_equal(after, before, check_dtype=False)
    review.sync(cut, undone=True)  # done again
    assert decisions(review) == {1: "", 2: "", 3: "changed", 4: "accepted"}
    review.sync(without(cut, 4))
    review.sync(cut, undone=True)
    assert decisions(review)[4] == "accepted"


def test_accepting_once_more_takes_it_back(review, project):
    review.sync(split(mask(project), 3))
    assert not review.accept([1, 3])
    assert decisions(review) == {1: "accepted", 2: "", 3: "accepted", 4: "changed"}
    assert not review.accept([2, 3])  # not all are
    assert review.accept([1, 3])
    assert decisions(review) == {1: "", 2: "accepted", 3: "changed", 4: "changed"}
    assert not review.accept([])


def test_rejected_objects_are_not_accepted_nor_come_back_with_the_next_model(project):
    of_model(project, "old")
    review = Review(locate(project.results))
    open_b(review, project, mask(project))
    changed = without(mask(project), 2)
    review.sync(changed)
    assert not review.accept([1, 2])
    assert not review.accept([2])
    assert review.drawn([1, 2, 9]) == {1: "accepted"}
    assert decisions(review) == {1: "accepted", 2: "rejected", 3: ""}
    review.write(changed)
    of_model(project, "new")
    assert Review(locate(project.results)).carried == ["b"]
    assert np.unique(read_labels(project.results / "corrected" / "b.tif")).tolist() == [0, 1, 3]


def test_only_the_labels_named_are_looked_at(review, project):
    changed = without(without(mask(project), 1), 2)
    review.sync(changed, among=[2])
    assert decisions(review) == {1: "", 2: "rejected", 3: ""}
    cut = split(mask(project), 3)
    assert review.sync(cut, among=[3, 4]) == [3, 4]


def test_merged_objects_are_one_row_and_a_rejected_one(review, project):
    review.sync(merge(mask(project), [1, 3]))
    rows = review.table[review.table["image"] == "b"].set_index("label")
    assert rows["area_px"][1] == 100 + 96
    assert decisions(review) == {1: "changed", 2: "", 3: "rejected"}


def test_corrections_lie_beside_the_prediction(review, project):
    before = (project.results / "masks" / "b.tif").read_bytes()
    changed = without(mask(project), 1)
    review.sync(changed)
    review.write(changed)
    assert (project.results / "masks" / "b.tif").read_bytes() == before
    assert (read_labels(project.results / "corrected" / "b.tif") == changed).all()
    assert review.discard("b") == project.results / "corrected" / "forgotten" / "1"
    assert review.discard("b") is None
    assert not (project.results / "corrected" / "b.tif").exists()
    assert decisions(review) == {1: "", 2: "", 3: ""}


def test_corrections_are_not_given_up_in_the_midst_of_a_run(review, project):
    changed = without(mask(project), 1)
    review.sync(changed)
    review.write(changed)
    (project.results / "measurements.csv").unlink()
    with pytest.raises(UserError, match=r"measurements.csv: no such file; a run is making it anew"):
        review.discard("b")
    assert (read_labels(project.results / "corrected" / "b.tif") == changed).all()
    assert (project.results / "corrected" / "b.csv").is_file()


def test_a_mask_corrected_elsewhere_is_taken_as_it_is(review, project):
    write_labels(project.results / "corrected" / "b.tif", np.eye(64, dtype=int) * 8)
    open_b(review, project, np.eye(64, dtype=int) * 8)
    assert decisions(review) == {8: ""}  # its numbers need not be ours: that one is missing is no decision
    assert review.left == 4


def open_b(review, project, labels):
    review.open("b", read_image(project.data / "images" / "b.tif").pixels, labels)


def made_by_a_run(project, labels):
    """Put a mask and its record where `fewstain segment` does; the table comes when it is done with all images."""
    path = project.results / "masks" / "b.tif"
    write_labels(path, labels)
    record = {"key": "", "mask": sha256_file(path), "counts": {"objects": 2}}
    write_json(project.results / ".segmented" / "b.json", record)


def test_a_mask_that_a_run_has_just_made_is_not_taken_for_decisions(review, project):
    before = review.table.copy()
    new = without(mask(project), 3)
    made_by_a_run(project, new)
    for _ in range(2):  # `fewstain segment` writes the table in the end; Snakemake takes it away before
        with pytest.raises(UserError, match=r"b\.tif: not the mask that measurements\.csv tells of.*let it end"):
            open_b(review, project, new)
        (project.results / "measurements.csv").unlink(missing_ok=True)
        assert not review.is_outdated
    pd.testing.assert_frame_equal(review.table, before)


def test_during_a_run_masks_that_it_has_not_come_to_open(review, project):
    (project.results / "measurements.csv").unlink()
    open_b(review, project, mask(project))
    assert decisions(review) == {1: "", 2: "", 3: ""}


def test_a_prediction_changed_by_hand_opens_and_nobody_has_decided(review, project):
    made_by_a_run(project, mask(project))
    changed = without(mask(project), 3)
    changed[20:22, 40:42] = 7
    write_labels(project.results / "masks" / "b.tif", changed)
    open_b(review, project, changed)
    assert decisions(review) == {1: "", 2: "", 7: ""}


def test_only_images_looked_through_become_labels(review, project):
    with pytest.raises(UserError, match="3 objects are undecided"):
        review.use_as_labels("b")
    review.decide([1, 2, 3], Decision.ACCEPTED)
    review.write(mask(project))
    assert review.use_as_labels("b") == project.data / "labels" / "b.tif"
    assert (read_labels(project.data / "labels" / "b.tif") == mask(project)).all()
    with pytest.raises(UserError, match="labels of this image exist"):
        review.use_as_labels("b")


def test_classes_of_a_corrected_mask_go_with_it(project):
    """The second object of b is rejected, and a fourth one drawn, which has no class."""
    table = project.results / "measurements.csv"
    pd.read_csv(table).assign(**{"class": ["round", "long", "round"] * 2}).to_csv(table, index=False)
    classes = project.data / "labels" / "classes.csv"
    classes.write_text("file,label,class\na__y0_x0,1,round\n")
    review = Review(locate(project.results))
    open_b(review, project, mask(project))
    review.decide([1, 3], Decision.ACCEPTED)
    review.decide([2], Decision.REJECTED)
    changed = without(mask(project), 2)
    changed[-3:, -3:] = 4
    review.write(changed)
    review.use_as_labels("b")
    assert classes.read_text() == "file,label,class\na__y0_x0,1,round\nb,1,round\nb,3,round\n"


def test_without_results_or_with_a_damaged_table_the_user_is_told(project):
    with pytest.raises(UserError, match="run the workflow first"):
        Review(Study(project.data))
    (project.results / "measurements.csv").write_text("image\na\n")
    with pytest.raises(UserError, match="not readable as a table of objects"):
        Review(locate(project.results))


def test_rows_of_images_that_were_removed_are_left_out(project):
    (project.data / "images" / "b.tif").unlink()
    assert set(Review(locate(project.results)).table["image"]) == {"a"}


def test_numbers_of_image_names_stay_text(project):
    table = pd.read_csv(project.results / "measurements.csv")
    (project.data / "images" / "a.tif").rename(project.data / "images" / "007.tif")
    (project.data / "labels" / "a__y0_x0.tif").unlink()
    table.assign(image=table["image"].replace("a", "007")).to_csv(project.results / "measurements.csv", index=False)
    assert "007" in set(Review(locate(project.results)).table["image"])


def of_model(project, name):
    table = pd.read_csv(project.results / "measurements.csv").assign(model_hash=name)
    table.to_csv(project.results / "measurements.csv", index=False)


def test_after_a_run_only_what_was_decided_stays(project):
    of_model(project, "old")
    review = Review(locate(project.results))
    pixels = read_image(project.data / "images" / "b.tif").pixels
    review.open("b", pixels, mask(project))
    cut = split(without(mask(project), 1), 3)  # 2 stays undecided
    review.sync(cut)
    review.write(cut)
    assert Review(locate(project.results)).carried == []
    new = without(mask(project), 2)
    new[50:60, 50:60] = 2
    write_labels(project.results / "masks" / "b.tif", new)
    assert not review.is_outdated
    of_model(project, "new")
    assert review.is_outdated
    again = Review(locate(project.results))
    assert again.carried == ["b"]
    labels = read_labels(project.results / "corrected" / "b.tif")
    assert np.unique(labels).tolist() == [0, 2, 3, 4]
    np.testing.assert_array_equal(labels == 2, new == 2)
    np.testing.assert_array_equal(np.where(labels > 2, labels, 0), np.where(cut > 2, cut, 0))
    again.open("b", pixels, labels)
    assert decisions(again) == {1: "rejected", 2: "", 3: "changed", 4: "changed"}
    assert set(again.table["model_hash"]) == {"new"}
    assert Review(locate(project.results)).carried == []
