import numpy as np
import pytest

from fewstain.pixels.objects import object_classes, object_means

LABELS = np.array([[0, 7, 7], [0, 2, 0]])
INTERIOR = np.array([[[0.9, 0.1, 0.2], [0.9, 0.6, 0]], [[0, 0.3, 0.1], [0, 0.2, 0]]])


def test_means_are_over_the_objects_own_pixels():
    means = object_means(LABELS, INTERIOR)
    assert means[2].tolist() == pytest.approx([0.6, 0.2])
    assert means[7].tolist() == pytest.approx([0.15, 0.2])


def test_the_most_probable_class_wins():
    assert object_classes(LABELS, INTERIOR, ("round", "long")) == {2: "round", 7: "long"}


def test_no_objects_no_classes():
    assert object_classes(np.zeros((2, 3), int), INTERIOR, ("round", "long")) == {}
