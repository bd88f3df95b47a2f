import numpy as np

from fewstain.layout import LAYOUT_CHANNELS, layout_planes, numbered


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


def test_objects_are_numbered_in_the_order_of_their_labels():
    numbers, values = numbered(np.array([[7, 0, 2147483647], [7, 3, 3]]))
    np.testing.assert_array_equal(numbers, [[2, 0, 3], [2, 1, 1]])
    assert values.tolist() == [0, 3, 7, 2147483647]
    numbers, values = numbered(np.array([[5, 5]]))
    np.testing.assert_array_equal(numbers, [[1, 1]])
    assert values.tolist() == [0, 5]


def test_large_labels_take_no_more_memory_than_small_ones():
    small = np.array([[0, 1, 1], [2, 1, 1], [2, 0, 0]])
    large = np.array([0, 2147483646, 2147483647], np.int32)[small]
    np.testing.assert_array_equal(layout_planes(large), layout_planes(small))
