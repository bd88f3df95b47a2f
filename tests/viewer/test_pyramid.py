import numpy as np
import pytest
import tifffile

pytest.importorskip("dask")
pytest.importorskip("zarr")

from fewstain.errors import UserError
from fewstain.images.read import read_image
from fewstain.images.write import write_map
from fewstain.viewer import layers as layers_module
from fewstain.viewer.layers import image_layers, pixels_of, uncertainty_layer, uncertainty_of
from fewstain.viewer.pyramid import open_levels

RAMP = np.arange(1100 * 1500, dtype=np.uint16).reshape(1100, 1500)


def equal(level, pixels):
    return np.array_equal(np.asarray(level), pixels)


def test_an_uncompressed_file_is_mapped_and_thinned(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", RAMP)
    levels = open_levels(tmp_path / "a.tif")
    assert [level.shape for level in levels] == [(1100, 1500, 1), (550, 750, 1)]
    assert equal(levels[0][..., 0], RAMP)
    assert equal(levels[1][..., 0], RAMP[::2, ::2])


def test_a_compressed_tiled_file_with_channels_first_is_read_tile_by_tile(tmp_path):
    channels = np.stack([RAMP, RAMP + 1])
    tifffile.imwrite(tmp_path / "a.ome.tif", channels, tile=(256, 256), compression="zlib", metadata={"axes": "CYX"})
    levels = open_levels(tmp_path / "a.ome.tif")
    assert levels[0].shape == (1100, 1500, 2)
    assert equal(levels[0][..., 1], RAMP + 1)


def test_channels_without_a_name_are_told_from_rows(tmp_path):
    pixels = np.dstack([RAMP, RAMP + 1, RAMP + 2, RAMP + 3])
    tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="minisblack", planarconfig=None)
    assert equal(open_levels(tmp_path / "a.tif")[0], read_image(tmp_path / "a.tif").pixels)


def test_levels_in_the_file_are_used(tmp_path):
    with tifffile.TiffWriter(tmp_path / "a.ome.tif", ome=True) as tif:
        tif.write(RAMP, subifds=1, tile=(256, 256))
        tif.write(RAMP[::4, ::4], subfiletype=1, tile=(256, 256))
    levels = open_levels(tmp_path / "a.ome.tif")
    assert [level.shape for level in levels] == [(1100, 1500, 1), (275, 375, 1)]
    assert equal(levels[1][..., 0], RAMP[::4, ::4])


def test_ome_zarr(tmp_path):
    import zarr

    group = zarr.open_group(str(tmp_path / "a.ome.zarr"), mode="w")
    for name, pixels in (("0", RAMP), ("1", RAMP[::2, ::2])):
        group.create_array(name, data=pixels[None])
    axes = [{"name": name} for name in "cyx"]
    group.attrs["multiscales"] = [{"axes": axes, "datasets": [{"path": "0"}, {"path": "1"}]}]
    levels = open_levels(tmp_path / "a.ome.zarr")
    assert [level.shape for level in levels] == [(1100, 1500, 1), (550, 750, 1)]
    assert equal(levels[0][..., 0], RAMP)
    with pytest.raises(UserError, match="not an OME-Zarr"):
        open_levels(tmp_path / "b.zarr")


@pytest.mark.parametrize("channels", [1, 2])
def test_exported_ome_zarr_opens_with_its_levels(tmp_path, channels):
    """Version 0.5, whose attributes lie below "ome"; each level is the mean of 2 x 2 pixels of the one before."""
    export = pytest.importorskip("fewstain.export.ome_zarr", reason="the extra fewstain[export] is not installed")
    pixels = np.stack([np.kron(np.arange(130 * 70).reshape(130, 70), np.ones((4, 4)))] * channels).astype(np.uint16)
    planes = pixels[0] if channels == 1 else pixels
    export.write_levels(tmp_path / "a.ome.zarr", planes, 0.5, {}, mean=True)
    levels = open_levels(tmp_path / "a.ome.zarr")
    assert [level.shape for level in levels] == [(520, 280, channels), (260, 140, channels), (130, 70, channels)]
    for step, level in zip((1, 2, 4), levels, strict=True):
        assert equal(level, np.moveaxis(pixels, 0, -1)[::step, ::step])


def test_other_formats_are_read_whole_and_stacks_refused(tmp_path):
    assert open_levels(tmp_path / "a.png") is None
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((3, 4, 5), np.uint8), metadata={"axes": "ZYX"})
    with pytest.raises(UserError, match="plane"):
        open_levels(tmp_path / "a.tif")


@pytest.mark.parametrize(
    ("pixels", "written"),
    [
        (np.uint8([[0, 40], [80, 120]]), {"photometric": "miniswhite"}),
        (np.uint8([[0, 1], [2, 3]]), {"photometric": "palette", "colormap": np.arange(768).reshape(3, 256) * 85}),
        (np.array([[False, True], [True, True]]), {}),
    ],
)
def test_tiffs_whose_values_are_read_as_others_are_read_whole(tmp_path, monkeypatch, pixels, written):
    monkeypatch.setattr(layers_module, "LARGEST", 1)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **written)
    assert open_levels(tmp_path / "a.tif") is None
    shown = pixels_of(image_layers(tmp_path / "a.tif", "a"))[:, :]
    np.testing.assert_array_equal(shown, read_image(tmp_path / "a.tif").pixels)


def test_the_colour_table_of_an_imagej_file_is_for_show_only(tmp_path):
    table = np.arange(768, dtype=np.uint16).reshape(3, 256)
    tifffile.imwrite(tmp_path / "a.tif", np.uint8([[0, 1]]), imagej=True, photometric="palette", colormap=table)
    assert equal(open_levels(tmp_path / "a.tif")[0], [[[0], [1]]])


def test_alpha_is_dropped_from_every_level(tmp_path, monkeypatch):
    monkeypatch.setattr(layers_module, "LARGEST", 1)
    colours = np.dstack([RAMP.astype(np.uint8)] * 4)
    tifffile.imwrite(tmp_path / "a.tif", colours, photometric="rgb", extrasamples=["unassalpha"])
    ((levels, properties, _),) = image_layers(tmp_path / "a.tif", "a")
    assert properties["rgb"]
    assert [level.shape for level in levels] == [(1100, 1500, 3), (550, 750, 3)]
    assert equal(levels[0], colours[..., :3])


@pytest.fixture
def never_whole(monkeypatch):
    """What has more than 1000 values counts as large, and nothing may be read whole."""

    def refuse(path):
        raise AssertionError(f"{path} was read whole")

    monkeypatch.setattr(layers_module, "LARGEST", 1000)
    monkeypatch.setattr(layers_module, "read_image", refuse)


def test_large_uncertainty_maps_are_not_read_whole(tmp_path, never_whole):
    values = (RAMP / RAMP.max()).astype(np.float32)
    write_map(tmp_path / "a.tif", values)
    layer = uncertainty_layer(tmp_path / "a.tif", "a")
    levels, properties, kind = layer
    assert (properties["multiscale"], kind) == (True, "image")
    assert [level.shape for level in levels] == [(1100, 1500), (550, 750)]
    assert properties["contrast_limits"] == (0.0, pytest.approx(0.999, abs=0.002))
    assert equal(uncertainty_of([layer])[3:5, 7:9], values[3:5, 7:9])


def test_large_images_become_pyramids(tmp_path, never_whole):
    tifffile.imwrite(tmp_path / "a.tif", RAMP)
    ((levels, properties, kind),) = image_layers(tmp_path / "a.tif", "a")
    assert properties["multiscale"]
    assert kind == "image"
    assert [level.shape for level in levels] == [(1100, 1500), (550, 750)]
    tifffile.imwrite(tmp_path / "c.tif", np.zeros((40, 40, 3), np.uint8), photometric="rgb")
    ((levels, properties, _),) = image_layers(tmp_path / "c.tif", "c")
    assert properties["rgb"]
    assert levels[0].shape == (40, 40, 3)
