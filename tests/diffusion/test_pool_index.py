import imageio.v3 as imageio
import numpy as np
import pytest
import tifffile

from fewstain.diffusion.pool_index import build_pool, open_pool_index, read_index, remove_pixels
from fewstain.errors import UserError
from fewstain.storage import sha256_file


def save(path, pixels):
    tifffile.imwrite(path, pixels)
    return path


def ramp(height, width):
    return (np.arange(height * width, dtype=np.uint16).reshape(height, width)) * 10


def test_pool_holds_each_image_normalised(tmp_path):
    paths = (save(tmp_path / "a.tif", ramp(4, 6)), save(tmp_path / "b.tif", ramp(5, 3)))
    index = build_pool(tmp_path / "state", paths, None)
    values = np.fromfile(tmp_path / "state" / "pool.f16", np.float16)
    assert [(image.name, image.height, image.width, image.offset) for image in index.images] == [
        ("a.tif", 4, 6, 0),
        ("b.tif", 5, 3, 24),
    ]
    assert index.size == len(values) == 39
    expected = index.normaliser.apply(ramp(5, 3)[..., None])[0]
    np.testing.assert_allclose(values[24:].reshape(5, 3), expected, atol=1e-3)
    assert read_index(tmp_path / "state") == index


def test_pool_is_built_once_and_again_when_pixels_are_gone(tmp_path):
    paths = (save(tmp_path / "a.tif", ramp(8, 8)),)
    files = (("a.tif", sha256_file(paths[0])),)
    state = tmp_path / "state"
    index = open_pool_index(state, paths, files, None, pixels_needed=True)
    built = (state / "pool.f16").stat().st_mtime_ns
    assert open_pool_index(state, paths, files, None, pixels_needed=True) == index
    assert (state / "pool.f16").stat().st_mtime_ns == built
    remove_pixels(state)
    assert open_pool_index(state, paths, files, None, pixels_needed=False) == index
    assert not (state / "pool.f16").exists()
    assert open_pool_index(state, paths, files, None, pixels_needed=True) == index
    assert (state / "pool.f16").stat().st_size == 128


def test_mixed_channel_counts_and_absent_channels_are_told(tmp_path):
    grey = save(tmp_path / "grey.tif", ramp(8, 8))
    colour = tmp_path / "colour.png"
    imageio.imwrite(colour, np.zeros((8, 8, 3), np.uint8))
    with pytest.raises(UserError, match=r"colour\.png: 3 channels"):
        build_pool(tmp_path / "s", (grey, colour), None)
    with pytest.raises(UserError, match="channel 2 is not there"):
        build_pool(tmp_path / "s", (grey,), (2,))
    with pytest.raises(UserError, match="no images"):
        build_pool(tmp_path / "s", (), None)
    assert not list((tmp_path / "s").glob("*pool*"))


@pytest.mark.parametrize(("photometric", "joint"), [("rgb", True), ("minisblack", False)])
def test_three_channels_share_a_range_where_their_files_say_they_are_rgb(tmp_path, photometric, joint):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 9, 3)).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric=photometric, planarconfig="contig")
    assert build_pool(tmp_path / "state", (tmp_path / "a.tif",), None).normaliser.joint == joint
