import pytest
import torch

from fewstain.diffusion.padding import pad_to_multiple


@pytest.mark.parametrize(("shape", "padded"), [((5, 8), (8, 8)), ((8, 8), (8, 8)), ((1, 3), (4, 4))])
def test_padding(shape, padded):
    images = torch.rand(1, 1, *shape)
    found = pad_to_multiple(images, 4)
    assert found.shape[2:] == padded
    assert torch.equal(found[..., : shape[0], : shape[1]], images)


def test_what_is_added_mirrors_the_edge():
    row = torch.tensor([[[[0.0, 1.0, 2.0, 3.0, 4.0]]]]).expand(1, 1, 4, 5)
    assert pad_to_multiple(row, 4)[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 3, 2, 1]
