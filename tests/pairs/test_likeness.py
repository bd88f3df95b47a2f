import numpy as np
import pytest
import torch

from fewstain.pairs.likeness import correlation, describe_pool, nearest_of_others, shrunk, spread_crops


@pytest.fixture(scope="module")
def images():
    """Six images of smooth noise, each its own, (1, 48, 48) in [-1, 1]."""
    from scipy import ndimage

    random = np.random.default_rng(0)
    smooth = [ndimage.gaussian_filter(random.normal(size=(48, 48)), 2) for _ in range(6)]
    return [(each / np.abs(each).max()).astype(np.float32)[None] for each in smooth]


@pytest.fixture(scope="module")
def likeness(images):
    return describe_pool(lambda index: images[index], len(images), side=24)


@pytest.mark.parametrize("turn", [lambda x: x, lambda x: np.rot90(x, 1, (1, 2)), lambda x: x[:, :, ::-1]])
def test_a_copy_is_found_wherever_it_was_cut_and_however_it_was_turned(images, likeness, turn):
    copied = turn(images[3][:, 10:34, 6:30]) + np.random.default_rng(1).normal(0, 0.02, (1, 24, 24))
    copy = likeness.copy(torch.from_numpy(np.ascontiguousarray(copied, np.float32)))
    assert copy > 0.95
    assert likeness.typical_copy() < 0.9


def test_something_new_of_the_same_kind_is_no_copy(likeness):
    from scipy import ndimage

    fresh = ndimage.gaussian_filter(np.random.default_rng(9).normal(size=(24, 24)), 2)
    fresh = torch.from_numpy((fresh / np.abs(fresh).max()).astype(np.float32))[None]
    assert likeness.copy(fresh) < 0.9


def test_a_flat_image_copies_nothing(likeness):
    assert likeness.copy(torch.zeros(1, 24, 24)) == 0


def test_what_is_unlike_the_pool_is_far_from_it(images, likeness):
    noise = torch.from_numpy(np.random.default_rng(2).uniform(-1, 1, (1, 24, 24)).astype(np.float32))
    near = likeness.distance(torch.from_numpy(np.ascontiguousarray(images[0][:, :24, :24])))
    assert near == pytest.approx(0, abs=1e-4)  # the first crop of the grid itself
    assert likeness.distance(noise) > 3 * likeness.typical_distance()


def test_nearest_is_of_another_image_unless_there_is_none():
    features = np.array([[0.0], [1.0], [5.0]])
    np.testing.assert_array_equal(nearest_of_others(features, np.array([0, 0, 1])), [5, 4, 4])
    np.testing.assert_array_equal(nearest_of_others(features, np.array([0, 0, 0])), [1, 1, 4])
    assert len(nearest_of_others(features[:1], np.array([0]))) == 0


def test_crops_are_spread_and_small_images_come_whole():
    image = np.arange(36, dtype=np.float32).reshape(1, 6, 6)
    assert [each[0, 0, 0] for each in spread_crops(image, 3, 9)] == [0, 3, 18, 21]
    assert [each[0, 0, 0] for each in spread_crops(image, 3, 2)] == [0, 21]
    (whole,) = spread_crops(image, 9, 4)
    assert whole.shape == (1, 6, 6)


def test_shrinking_takes_the_mean_of_channels_and_blocks():
    image = np.array([[[0, 2, 9], [4, 6, 9]], [[2, 4, 9], [6, 8, 9]]], float)
    np.testing.assert_array_equal(shrunk(image), [[4]])


def test_a_painting_larger_than_the_image_is_cut():
    random = np.random.default_rng(0)
    assert -1 <= correlation(random.normal(size=(40, 40)), random.normal(size=(12, 20))) <= 1
