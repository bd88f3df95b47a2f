import numpy as np
import pytest
import tifffile

from fewstain.errors import UserError
from fewstain.images.write import write_map
from fewstain.settings import DiffusionSettings
from fewstain.suggest import suggest_windows
from fewstain.suggest.look import look_at


def image(tmp_path, name, pixels):
    tifffile.imwrite(tmp_path / f"{name}.tif", pixels)
    return tmp_path / f"{name}.tif"


def test_uncertain_windows_weigh_most_and_unseen_images_as_much(tmp_path):
    rng = np.random.default_rng(0)
    seen = image(tmp_path, "seen", rng.integers(0, 255, (32, 64)).astype(np.uint8))
    new = image(tmp_path, "new", rng.integers(0, 255, (32, 32)).astype(np.uint8))
    uncertainty = np.zeros((32, 64), np.float32)
    uncertainty[:, 32:] = 0.5
    write_map(tmp_path / "results" / "uncertainty" / "seen.tif", uncertainty)
    looked = look_at([seen, new], n=1, size=32, results=tmp_path / "results")
    assert [window.name for window in looked.windows] == ["seen__y0_x0", "seen__y0_x32", "new__y0_x0"]
    np.testing.assert_allclose(looked.weights, [0, 0.5, 0.5], atol=1e-6)
    assert suggest_windows([seen], n=1, size=32, results=tmp_path / "results")[0].x == 32


def test_windows_are_described_by_the_denoiser_once_there_is_one(tmp_path, make_denoiser):
    rng = np.random.default_rng(0)
    path = image(tmp_path, "a", rng.integers(0, 255, (32, 96)).astype(np.uint8))
    plain = look_at([path], n=2, size=32)
    (tmp_path / "results").mkdir()
    make_denoiser(DiffusionSettings(channels=(8,), crop=16, train_timesteps=50)).rename(tmp_path / "results/diffusion")
    seen = look_at([path], n=2, size=32, results=tmp_path / "results")
    assert plain.features.shape == (3, 4)
    assert seen.features.shape[1] > 4
    assert np.isfinite(seen.features).all()
    assert (np.ptp(seen.features, axis=0) > 0).any()
    assert len(suggest_windows([path], n=2, size=32, results=tmp_path / "results")) == 2


def test_images_must_have_the_same_channels_and_those_that_are_asked_for(tmp_path):
    grey = image(tmp_path, "grey", np.zeros((32, 32), np.uint8))
    rgb = image(tmp_path, "rgb", np.zeros((32, 32, 3), np.uint8))
    with pytest.raises(UserError, match=r"rgb\.tif: 3 channels, but grey\.tif has 1; save all images .* alike"):
        look_at([grey, rgb], n=1, size=32)
    with pytest.raises(UserError, match=r"grey\.tif: 1 channel, so channel 5 is not there"):
        look_at([grey], n=1, size=32, channels=[5])
    assert look_at([rgb], n=1, size=32, channels=[0, 2]).features.shape == (1, 8)


def test_images_must_have_the_channels_of_the_denoiser(tmp_path, make_denoiser):
    rgb = image(tmp_path, "rgb", np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "results").mkdir()
    make_denoiser(DiffusionSettings(channels=(8,), crop=16, train_timesteps=50)).rename(tmp_path / "results/diffusion")
    with pytest.raises(UserError, match=r"rgb\.tif: 3 channels, but those that the denoiser was trained on have 1"):
        look_at([rgb], n=1, size=32, results=tmp_path / "results")
