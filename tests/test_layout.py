import numpy as np

from fewstain.layout import LAYOUT_CHANNELS, layout_planes


def test_planes_of_two_touching_objects():
    labels = np.array(
        [
            [0, 0, 0, 0, 0, 0, 0],
            [0, 1, 1, 1, 2, 2, 0],
            [0, 1, 1, 1, 2, 2, 0],
            [0, 1, 1, 1, 2, 2, 0],
            [0, 0, 0, 0, 0, 0, 0],
        ]
    )
    foreground, boundary, distance = layout_planes(labels)
    np.testing.assert_array_equal(foreground, labels > 0)
    np.testing.assert_array_equal(boundary[2], [0, 1, 0, 1, 1, 1, 0])  # they touch, and yet there is a border
    np.testing.assert_array_equal(boundary[1], [0, 1, 1, 1, 1, 1, 0])
    np.testing.assert_allclose(distance[2], [0, 0.5, 1, 0.5, 1, 1, 0])
    assert layout_planes(labels).dtype == np.float32


def test_labels_only_tell_objects_apart():
    labels = np.array([[0, 1, 1, 0, 2, 2]])
    np.testing.assert_array_equal(layout_planes(labels), layout_planes(np.where(labels > 0, 9 - labels, 0)))


def test_no_objects_no_layout():
    planes = layout_planes(np.zeros((4, 5), np.uint16))
    assert planes.shape == (LAYOUT_CHANNELS, 4, 5)
    assert not planes.any()
