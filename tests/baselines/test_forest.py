import numpy as np
import pytest

from fewstain.baselines.forest import ForestSegmenter
from fewstain.pixels.labeled_window import label_window


def window(image, labels, margin=4):
    """The image as the surroundings of a window that leaves a margin of it unlabeled."""
    labels = labels[margin:-margin, margin:-margin]
    return label_window(image, labels, (margin, margin), "a", "a", multiple=1)


def disks(size=48):
    """Two bright disks of radius 7 on dark ground."""
    y, x = np.mgrid[:size, :size]
    labels = np.zeros((size, size), np.int32)
    labels[(y - 14) ** 2 + (x - 14) ** 2 < 49] = 1
    labels[(y - 32) ** 2 + (x - 30) ** 2 < 49] = 2
    noise = np.random.default_rng(0).normal(0, 0.1, labels.shape)
    image = np.where(labels > 0, 0.6, -0.6) + noise
    return image[None].astype(np.float32), labels


@pytest.fixture(scope="module")
def fitted():
    return ForestSegmenter(trees=10, pixels_per_window=1500, sigma_max=4, jobs=1).fit([window(*disks())])


def test_learns_two_disks(fitted):
    image, labels = disks()
    maps = fitted.predict(image)
    assert maps.probabilities.shape == (1, 3, 48, 48)
    np.testing.assert_allclose(maps.probabilities.sum(1), 1, atol=1e-5)
    foreground = 1 - maps.probabilities[0, 0].numpy()
    assert ((foreground > 0.5) == (labels > 0)).mean() > 0.97
    assert maps.distance[0, 14, 14] > 0.7 > 0.4 > maps.distance[0, 14, 20]
    assert not maps.uncertainty.any()


def test_equal_seeds_give_equal_maps(fitted):
    image, labels = disks()
    again = ForestSegmenter(trees=10, pixels_per_window=1500, sigma_max=4, jobs=1).fit([window(image, labels)])
    assert np.array_equal(again.predict(image).probabilities, fitted.predict(image).probabilities)


def test_windows_without_objects_predict_background():
    image = np.zeros((1, 16, 16), np.float32)
    forest = ForestSegmenter(trees=2, sigma_max=2, jobs=1).fit([window(image, np.zeros((16, 16), np.int32))])
    assert (forest.predict(image).probabilities[0, 0] == 1).all()


def test_colour_images_and_other_sizes(fitted):
    image, labels = disks()
    colour = np.repeat(image, 3, axis=0)
    forest = ForestSegmenter(trees=2, pixels_per_window=200, sigma_max=2, jobs=1).fit([window(colour, labels)])
    assert forest.predict(colour[:, :20, :33]).distance.shape == (1, 20, 33)


def test_predicting_before_fitting_is_refused():
    with pytest.raises(ValueError, match="fit first"):
        ForestSegmenter().predict(np.zeros((1, 8, 8), np.float32))
