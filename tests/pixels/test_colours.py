import numpy as np
import pytest
import tifffile
import torch

from fewstain.images.normalise import Normaliser
from fewstain.pixels.colours import FLAT, MOST_STRETCH, PoolColours, colour_map, pool_colours

NORMALISER = Normaliser(low=0, high=100, joint=True)


class Always:
    """Draws the other image, and goes all the way there."""

    def random(self):
        return 0.0

    def integers(self, n):
        return 1

    def uniform(self):
        return 1.0


def test_the_map_gives_one_covariance_the_other():
    own = np.array([[0.04, 0.01], [0.01, 0.09]])
    other = np.array([[0.08, -0.02], [-0.02, 0.05]])
    matrix = colour_map(own, other)
    assert matrix @ own @ matrix.T == pytest.approx(other)
    assert matrix == pytest.approx(matrix.T)
    assert np.linalg.eigvalsh(matrix).min() > 0  # no hue is turned into its opposite


def test_equal_colours_stay():
    own = np.array([[0.04, 0.01], [0.01, 0.09]])
    assert colour_map(own, own) == pytest.approx(np.eye(2))


@pytest.mark.parametrize(("own", "other", "expected"), [(1.0, 9.0, 3.0), (1e-4, 1.0, MOST_STRETCH), (1.0, 1e-4, 0.25)])
def test_contrast_of_one_channel_is_stretched_within_limits(own, other, expected):
    assert colour_map(np.array([[own]]), np.array([[other]])) == pytest.approx(np.array([[expected]]))


def test_a_window_takes_on_the_colours_of_another_image():
    """Two channels: the first image is red with a dark cell, the second blue; halves of the contrast."""
    colours = PoolColours(
        ("red", "blue"),
        np.array([[0.5, -0.5], [-0.5, 0.5]]),
        np.array([np.diag([0.04, 0.04]), np.diag([0.01, 0.01])]),
    )
    image = torch.tensor([[[0.5, 0.7]], [[-0.5, -0.3]]])
    painted = colours.recoloured(image, "red", Always())
    assert painted.flatten().tolist() == pytest.approx([-0.5, -0.4, 0.5, 0.6])
    assert painted.dtype == torch.float32
    assert torch.equal(colours.recoloured(image, "unknown", Always()), image)


def test_some_views_keep_their_colours_and_the_others_lie_between_the_two():
    colours = PoolColours(("dark", "bright"), np.array([[-0.5], [0.5]]), np.full((2, 1, 1), 0.01))
    image, random = torch.full((1, 1, 1), -0.5), np.random.default_rng(0)
    levels = np.array([colours.recoloured(image, "dark", random).item() for _ in range(400)])
    assert np.mean(levels == -0.5) == pytest.approx(0.65, abs=0.07)  # 3 in 10, and half of the others drew themselves
    assert levels.min() == -0.5
    assert 0.4 < levels.max() <= 0.5


def test_colours_are_those_of_normalised_images(tmp_path):
    for name, pixels in {"a": [[0, 200], [100, 100]], "b": [[100, 0], [0, 0]]}.items():
        tifffile.imwrite(tmp_path / f"{name}.tif", np.array(pixels, np.uint8))
    colours = pool_colours([tmp_path / "a.tif", tmp_path / "b.tif"], NORMALISER, (0,))
    assert colours.images == ("a", "b")
    assert colours.means[:, 0] == pytest.approx([0, -0.5])  # -1, 1, 0, 0 and 1, -1, -1, -1
    assert colours.covariances[:, 0, 0] == pytest.approx([2 / 3 + FLAT, 1 + FLAT])


def test_of_many_images_some_are_read_but_always_the_labeled_ones(tmp_path, monkeypatch):
    monkeypatch.setattr("fewstain.pixels.colours.MOST_IMAGES", 3)
    paths = [tmp_path / f"{number}.tif" for number in range(9)]
    for path in paths:
        tifffile.imwrite(path, np.arange(4, dtype=np.uint8).reshape(2, 2))
    assert pool_colours(paths, NORMALISER, (0,), always=[paths[1]]).images == ("0", "1", "4", "8")
