import numpy as np
import pandas as pd

from fewstain.pixels.carried import carry_over


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
