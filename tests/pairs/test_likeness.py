import numpy as np
import pytest
import torch

from fewstain.pairs import likeness as module
from fewstain.pairs.likeness import describe_pool, largest_kept, nearest_of_others, shrunk, spread_crops


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


def noise(number, side):
    """Smooth noise of its own, (1, side, side) in [-1, 1]."""
    from scipy import ndimage

    smooth = ndimage.gaussian_filter(np.random.default_rng(number).normal(size=(side, side)), 2)
    return (smooth / np.abs(smooth).max()).astype(np.float32)[None]


def test_a_copy_is_found_in_any_image_of_a_pool_of_many():
    likeness = describe_pool(lambda index: noise(index, 32), 150, side=24)
    assert len(likeness.images) == 150
    assert (likeness.left_out, likeness.cut) == (0, 0)
    assert all(likeness.copy(torch.from_numpy(noise(index, 32)[:, 4:28, 6:30])) > 0.95 for index in range(150))


def test_what_a_bound_on_memory_leaves_out_is_counted(monkeypatch):
    monkeypatch.setattr(module, "IMAGES", 2)
    monkeypatch.setattr(module, "LARGEST", 32)
    monkeypatch.setattr(module, "KEPT_PIXELS", 3 * 16**2)
    read = []
    likeness = describe_pool(lambda index: read.append(index) or noise(index, 40 if index == 9 else 32), 10, side=24)
    assert likeness.numbers[:2] == (0, 9)  # those that crops are of come first
    assert (len(likeness.images), likeness.left_out, likeness.cut) == (3, 7, 1)
    assert len(read) == 4  # no more than the first that finds no room


def test_of_few_images_more_is_kept_and_none_is_left_out():
    assert [largest_kept(n) for n in (1, 8, 32, 128, 2048)] == [4096, 4096, 2048, 1024, 1024]
