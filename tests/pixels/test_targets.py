import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from fewstain.layout import normalised_distance
from fewstain.pixels.targets import pixel_targets


def test_an_object_in_the_middle():
    labels = np.array(
        [
            [0, 0, 0, 0, 0],
            [0, 7, 7, 7, 0],
            [0, 7, 7, 7, 0],
            [0, 7, 7, 7, 0],
            [0, 0, 0, 0, 0],
        ]
    )
    targets = pixel_targets(labels)
    assert_array_equal(
        targets.classes,
        [
            [0, 0, 0, 0, 0],
            [0, 1, 1, 1, 0],
            [0, 1, 2, 1, 0],
            [0, 1, 1, 1, 0],
            [0, 0, 0, 0, 0],
        ],
    )
    assert_allclose(
        targets.distance,
        [
            [0, 0, 0, 0, 0],
            [0, 0.5, 0.5, 0.5, 0],
            [0, 0.5, 1.0, 0.5, 0],
            [0, 0.5, 0.5, 0.5, 0],
            [0, 0, 0, 0, 0],
        ],
    )
    assert targets.distance_known.all()
    assert (targets.classes.dtype, targets.distance.dtype) == (np.int64, np.float32)


def test_touching_objects_are_apart_and_objects_at_the_edge_are_of_unknown_distance():
    labels = np.array(
        [
            [0, 0, 0, 0, 0],
            [0, 1, 2, 2, 2],
            [0, 1, 2, 2, 2],
            [0, 1, 2, 2, 2],
            [0, 0, 0, 0, 0],
        ]
    )
    targets = pixel_targets(labels)
    assert_array_equal(targets.classes[2], [0, 1, 1, 2, 2])
    assert_allclose(targets.distance[2], [0, 1, 0.5, 1, 0.5])
    assert_array_equal(targets.distance_known, labels != 2)


def test_the_class_of_an_object_is_that_of_its_interior():
    labels = np.zeros((5, 11), int)
    labels[1:4, 1:4], labels[1:4, 5:8] = 3, 9
    classes = pixel_targets(labels, {3: 1, 9: 0, 12: 1}).classes
    assert_array_equal(classes[2], [0, 1, 3, 1, 0, 1, 2, 1, 0, 0, 0])


@pytest.mark.parametrize("value", [0, 1])
def test_nothing_and_everything(value):
    targets = pixel_targets(np.full((5, 5), value))
    assert_array_equal(targets.classes, 2 * value)
    assert targets.distance.max() == value
    assert targets.distance_known.all() == (value == 0)
    assert normalised_distance(np.zeros((5, 5), int)).dtype == np.float32
