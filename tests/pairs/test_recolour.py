import numpy as np
import pytest

from fewstain.dataset import open_dataset
from fewstain.images.write import write_image, write_labels
from fewstain.pairs.recolour import palette, recoloured, stain_map


def spot(ground, bright, channels=1):
    """(channels, 16, 16) of a square on even ground."""
    image = np.full((channels, 16, 16), ground, np.float32)
    image[:, 4:9, 4:9] = bright
    return image


def test_ground_and_stain_are_told_apart_whichever_is_bright():
    dark, light = palette(spot(-1, 0.9)), palette(spot(0.9, -0.8))
    assert dark.ground < -0.9 < 0.8 < dark.stained
    assert light.stained < -0.7 < 0.8 < light.ground


def test_the_stain_of_an_image_is_a_map_from_nothing_to_all():
    for image in (spot(-1, 0.9), spot(0.9, -0.8)):
        stain = stain_map(image)
        assert np.abs(stain[:3]).max() < 0.1
        assert stain[5:8, 5:8].min() > 0.9
    assert not stain_map(np.full((1, 4, 4), 0.5, np.float32)).any()


def test_bright_nuclei_on_black_become_dark_ones_on_white_in_the_stains_colours():
    purple = np.stack([spot(0.9, -0.2)[0], spot(0.8, -0.8)[0], spot(0.9, 0.3)[0]])
    painted = palette(purple).paint(stain_map(spot(-1, 1)))
    np.testing.assert_allclose(painted[:, 6, 6], [-0.2, -0.8, 0.3], atol=0.1)
    np.testing.assert_allclose(painted[:, 0, 0], [0.9, 0.8, 0.9], atol=0.1)


@pytest.mark.parametrize("size", [1.0, 2.0])
def test_pieces_have_the_labels_of_what_was_drawn(tmp_path, size):
    labels = np.zeros((16, 16), np.uint16)
    labels[4:9, 4:9] = 7
    write_image(tmp_path / "images" / "a.tif", (labels > 0).astype(np.uint8) * 200)
    write_labels(tmp_path / "labels" / "a.tif", labels)
    source = recoloured(open_dataset(tmp_path), [spot(0.9, -0.8)], side=round(16 * size), size=size)
    planes, carried = source.piece(3, seed=0)
    assert planes.shape == (1, *carried.shape) == (1, round(16 * size), round(16 * size))
    assert np.bincount(carried.ravel())[1] == 25 * size**2
    assert planes[0][carried == 1].mean() < -0.5 < 0.5 < planes[0][carried == 0].mean()
    again, same = source.piece(3, seed=0)
    np.testing.assert_array_equal(planes, again)
    np.testing.assert_array_equal(carried, same)
