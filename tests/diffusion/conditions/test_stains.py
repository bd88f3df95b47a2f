import numpy as np
import pytest
import torch

from fewstain.diffusion.conditions.stains import Stains, common_channels, repeat_grey
from fewstain.errors import UserError


class FlatPool:
    """Crops whose pixels are all one value."""

    def __init__(self, value, channels):
        self.value, self.channels = value, channels

    def crops(self, n, size, random):
        return torch.full((n, self.channels, size, size), self.value)

    def holds_sets(self, size):
        return size <= 4

    def sets(self, n, others, size, random):
        crops = self.crops(n, size, random)
        return crops, crops[:, None].repeat(1, others, 1, 1, 1)


POOLS = {"grey": FlatPool(0.0, 1), "red": FlatPool(1.0, 3), "blue": FlatPool(2.0, 3)}


def test_each_stain_comes_as_often_and_grey_in_every_channel():
    stain, crops = Stains(POOLS, 3).crops(300, 2, np.random.default_rng(0))
    assert crops.shape == (300, 3, 2, 2)
    np.testing.assert_array_equal(crops, np.broadcast_to(stain[:, None, None, None], crops.shape))
    assert np.bincount(stain).min() > 70


def test_a_set_is_of_the_crops_own_stain():
    crops, sets = Stains(POOLS, 3).sets(40, 5, 4, np.random.default_rng(0))
    assert sets.shape == (40, 5, 3, 4, 4)
    assert torch.equal(sets, crops[:, None].expand_as(sets))
    assert [float(each.mean()) for each in Stains(POOLS, 3).examples(2, 4, np.random.default_rng(0))] == [0, 1, 2]
    with pytest.raises(UserError, match="grey: no image has room for two windows of 8 x 8 pixels"):
        Stains(POOLS, 3).sets(40, 5, 8, np.random.default_rng(0))


def test_channels_that_go_together():
    assert common_channels([("a", 1), ("b", 1)]) == 1
    assert common_channels([("a", 1), ("b", 3), ("c", 3)]) == 3
    with pytest.raises(UserError, match="a: 2 channels, but b has 3; only grey images go beside others"):
        common_channels([("a", 2), ("b", 3)])


def test_repeated_grey():
    assert repeat_grey(torch.tensor([[[[1.0, 2.0]]]]), 3).tolist() == [[[[1.0, 2.0]]] * 3]
