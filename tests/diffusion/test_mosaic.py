import imageio.v3 as imageio
import numpy as np
import pytest
import torch

from fewstain.diffusion.mosaic import mosaic, write_mosaic


@pytest.mark.parametrize(("channels", "last"), [(1, ()), (2, ()), (3, (3,)), (5, (3,))])
def test_images_fill_rows_and_the_rest_is_black(channels, last):
    images = torch.stack([torch.full((channels, 1, 1), value) for value in (-1.0, 0.0, 1.0)])
    assert mosaic(images).shape == (2, 2, *last)
    np.testing.assert_array_equal(mosaic(images).reshape(2, 2, -1)[..., 0], [[0, 128], [255, 0]])
    np.testing.assert_array_equal(mosaic(images, columns=3).reshape(1, 3, -1)[..., 0], [[0, 128, 255]])


def test_what_is_written_is_the_mosaic(tmp_path):
    images = torch.rand((3, 3, 4, 5), generator=torch.Generator().manual_seed(0)) * 2.4 - 1.2
    write_mosaic(tmp_path / "a.png", images)
    np.testing.assert_array_equal(imageio.imread(tmp_path / "a.png"), mosaic(images))
