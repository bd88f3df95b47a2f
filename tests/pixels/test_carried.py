import numpy as np
import pandas as pd

from fewstain.images.read import read_labels
from fewstain.images.write import write_labels
from fewstain.pixels.carried import carry_over, renew_corrections


def rows(*objects):
    """Label, row and column of the centre, area."""
    return pd.DataFrame(objects, columns=["label", "centroid_y_px", "centroid_x_px", "area_px"])


def test_what_was_decided_replaces_what_the_new_model_sees_there():
    corrected = np.array([[1, 1, 1, 0, 0, 2, 2]])
    new = np.array([[3, 3, 0, 1, 1, 1, 1]])
    labels, numbers = carry_over(new, corrected, [1], rows())
    assert labels.tolist() == [[1, 1, 1, 2, 2, 2, 2]]  # 3 is covered by 1; the new 1 gets a number that is free
    assert numbers == {1: 2}


def test_a_new_object_that_is_covered_by_half_or_less_keeps_the_rest():
    labels, numbers = carry_over(np.array([[5, 5, 5, 5]]), np.array([[0, 0, 2, 2]]), [2], rows())
    assert labels.tolist() == [[5, 5, 2, 2]]
    assert numbers == {5: 5}


def test_a_rejected_object_is_not_found_again():
    new = np.array([[1, 1, 1, 0, 2, 2, 0, 4]])
    gone = rows((1, 0, 1, 2), (2, 0, 4.4, 9), (4, 0, 7, 1))  # the new 2 is much smaller than what was rejected there
    labels, numbers = carry_over(new, np.zeros((1, 8), int), [], gone)
    assert labels.tolist() == [[0, 0, 0, 0, 5, 5, 0, 0]]
    assert numbers == {2: 5}


def test_what_was_accepted_without_a_pixel_counts_as_rejected(tmp_path):
    table = rows((1, 0, 0.5, 2), (2, 0, 3.5, 2)).assign(image="a", model_hash="old")
    (tmp_path / "corrected").mkdir()
    table.assign(decision="accepted").to_csv(tmp_path / "corrected" / "a.csv", index=False)
    table.assign(model_hash="new").to_csv(tmp_path / "measurements.csv", index=False)
    write_labels(tmp_path / "corrected" / "a.tif", np.array([[0, 0, 0, 2, 2]]))
    write_labels(tmp_path / "masks" / "a.tif", np.array([[1, 1, 0, 2, 2]]))
    assert renew_corrections(tmp_path) == ["a"]
    assert read_labels(tmp_path / "corrected" / "a.tif").tolist() == [[0, 0, 0, 2, 2]]
    told = pd.read_csv(tmp_path / "corrected" / "a.csv").set_index("label")["decision"]
    assert told.to_dict() == {1: "rejected", 2: "accepted"}
