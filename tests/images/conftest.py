import numpy as np
import pytest

from fewstain.images.read import image_size, read_image


@pytest.fixture(scope="session")
def same():
    """Function: check that a file is read as these pixels, (H, W) or (H, W, C), and return the image."""

    def check(path, pixels):
        image = read_image(path)
        np.testing.assert_array_equal(image.pixels, pixels if pixels.ndim == 3 else pixels[..., None])
        assert image.pixels.dtype == pixels.dtype.newbyteorder("=")
        assert image_size(path) == (*image.pixels.shape, image.pixels.dtype)
        return image

    return check
