import numpy as np
import pytest
import tifffile

from fewstain.errors import UserError
from fewstain.images.read import (
    image_size,
    read_header,
    read_image,
    read_labels,
)

GREY = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
TWO = np.stack([GREY, GREY[::-1]])
PLANES = np.stack([GREY, GREY + 1, GREY + 2])


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (GREY, {}),
        (GREY.astype(np.uint16) * 200, {"tile": (16, 16), "compression": "zstd"}),
        (GREY.astype(">u2"), {"byteorder": ">", "rowsperstrip": 3}),
        (GREY.astype(np.float32) / 7, {"bigtiff": True, "compression": "lzw", "predictor": True}),
        (GREY.astype(np.int16) - 100, {"compression": "packbits"}),
        (np.stack([GREY] * 3, -1), {"photometric": "rgb", "compression": "lzma"}),
    ],
)
def test_tiff_of_every_kind(tmp_path, pixels, options, same):
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    same(tmp_path / "a.tif", pixels)


def test_planar_rgb_and_rgba(tmp_path, same):
    rgb = np.stack([GREY, GREY + 1, GREY + 2])
    tifffile.imwrite(tmp_path / "planar.tif", rgb, photometric="rgb", planarconfig="separate")
    same(tmp_path / "planar.tif", np.moveaxis(rgb, 0, -1))
    rgba = np.moveaxis(np.concatenate([rgb, GREY[None]]), 0, -1)
    tifffile.imwrite(tmp_path / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    assert same(tmp_path / "rgba.tif", rgba[..., :3]).notes == ("alpha channel dropped",)


@pytest.mark.parametrize(("axes", "pixels"), [("CYX", TWO), ("TCZYX", TWO[None, :, None])])
def test_ome_axes_and_pixel_size(tmp_path, axes, pixels, same):
    metadata = {"axes": axes, "PhysicalSizeX": 250, "PhysicalSizeXUnit": "nm"}
    tifffile.imwrite(tmp_path / "a.ome.tif", pixels, photometric="minisblack", metadata=metadata)
    assert same(tmp_path / "a.ome.tif", np.moveaxis(TWO, 0, -1)).pixel_size_um == pytest.approx(0.25)


@pytest.mark.parametrize(
    "options",
    [
        {"metadata": {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 1.0}, "ome": True},
        {
            "metadata": {"axes": "YX", "PhysicalSizeX": 0.5, "PhysicalSizeY": 1000, "PhysicalSizeYUnit": "nm"},
            "ome": True,
        },
        {"metadata": {"axes": "YX", "unit": "micron"}, "resolution": (2, 1), "imagej": True},
        {"resolution": (20000, 10000), "resolutionunit": "CENTIMETER"},
    ],
)
def test_pixels_that_are_not_square_have_no_size(tmp_path, options):
    tifffile.imwrite(tmp_path / "a.tif", GREY, **options)
    image, head = read_image(tmp_path / "a.tif"), read_header(tmp_path / "a.tif")
    assert image.pixel_size_um is head.pixel_size_um is None
    assert image.oblong_um == head.oblong_um == pytest.approx((1.0, 0.5))


@pytest.mark.parametrize(
    ("planes", "options", "rgb"),
    [
        (PLANES, {"photometric": "rgb", "planarconfig": "separate"}, True),
        (np.moveaxis(PLANES, 0, -1), {"photometric": "rgb"}, True),
        (np.moveaxis(PLANES, 0, -1), {"photometric": "rgb", "ome": True, "metadata": {"axes": "YXS"}}, True),
        (np.moveaxis(PLANES, 0, -1), {"imagej": True}, True),
        (np.moveaxis(PLANES, 0, -1)[..., [0, 1, 2, 0]], {"photometric": "rgb", "extrasamples": ["unassalpha"]}, True),
        (GREY, {"photometric": "palette", "colormap": np.arange(768, dtype=np.uint16).reshape(3, 256)}, True),
        (PLANES, {"photometric": "minisblack", "planarconfig": "separate"}, False),
        (np.moveaxis(PLANES, 0, -1), {"photometric": "minisblack", "planarconfig": "contig"}, False),
        (PLANES, {"ome": True, "metadata": {"axes": "CYX"}}, False),
        (PLANES, {"imagej": True, "metadata": {"axes": "CYX", "mode": "composite"}}, False),
        (GREY, {}, False),
    ],
)
def test_a_tiff_tells_whether_it_is_rgb(tmp_path, planes, options, rgb):
    tifffile.imwrite(tmp_path / "a.tif", planes, **options)
    assert read_image(tmp_path / "a.tif").rgb == read_header(tmp_path / "a.tif").rgb == rgb


def test_sides_that_differ_by_rounding_are_square(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, ome=True, metadata={"PhysicalSizeX": 0.3225, "PhysicalSizeY": 0.3226})
    image = read_image(tmp_path / "a.tif")
    assert (image.pixel_size_um, image.oblong_um) == (0.3225, None)


@pytest.mark.parametrize("metadata", [{"axes": "YXC"}, {}])
def test_channels_last(tmp_path, metadata, same):
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(TWO, 0, -1), photometric="minisblack", metadata=metadata)
    same(tmp_path / "a.tif", np.moveaxis(TWO, 0, -1))


def test_imagej_channels_and_pixel_size(tmp_path, same):
    metadata = {"axes": "CYX", "unit": "micron"}
    tifffile.imwrite(tmp_path / "a.tif", TWO, imagej=True, resolution=(4, 4), metadata=metadata)
    assert same(tmp_path / "a.tif", np.moveaxis(TWO, 0, -1)).pixel_size_um == pytest.approx(0.25)


@pytest.mark.parametrize(("dots", "unit", "expected"), [(20000, "CENTIMETER", 0.5), (300, "INCH", None)])
def test_plain_resolution_is_believed_when_it_can_be_a_microscopes(tmp_path, dots, unit, expected):
    tifffile.imwrite(tmp_path / "a.tif", GREY, resolution=(dots, dots), resolutionunit=unit)
    assert read_image(tmp_path / "a.tif").pixel_size_um == expected


@pytest.mark.parametrize(
    ("dots", "unit", "expected"),
    [(72, "inch", None), (300, "in", None), (100, "cm", None), (20000, "cm", 0.5), (0.05, "micron", 20.0)],
)
def test_units_of_print_in_imagej_files_are_believed_when_they_can_be_a_microscopes(tmp_path, dots, unit, expected):
    tifffile.imwrite(tmp_path / "a.tif", GREY, imagej=True, resolution=(dots, dots), metadata={"unit": unit})
    assert read_image(tmp_path / "a.tif").pixel_size_um == pytest.approx(expected)


@pytest.mark.parametrize(
    ("axes", "told"),
    [("ZYX", "a Z stack of 2 planes"), ("TYX", "a time stack of 2 planes"), ("QYX", "stack of 2 planes")],
)
def test_stacks_are_refused(tmp_path, axes, told):
    tifffile.imwrite(tmp_path / "s.tif", TWO, metadata={"axes": axes}, photometric="minisblack")
    for read in (read_image, image_size, read_labels):
        with pytest.raises(UserError, match=rf"s\.tif: .*{told}.*project or choose a plane"):
            read(tmp_path / "s.tif")


def test_colour_table_of_imagej_is_not_applied_to_intensities(tmp_path):
    table = np.random.default_rng(0).integers(0, 65535, (3, 256), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "lut.tif", GREY, photometric="palette", colormap=table)
    assert read_image(tmp_path / "lut.tif").pixels.shape == (20, 30, 3)
    np.testing.assert_array_equal(read_labels(tmp_path / "lut.tif"), GREY)


def test_miniswhite_is_inverted(tmp_path, same):
    tifffile.imwrite(tmp_path / "w.tif", GREY, photometric="miniswhite")
    assert same(tmp_path / "w.tif", 255 - GREY).notes == ("stored with 0 as white; inverted",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_inverted_lut_of_imagej_leaves_intensities_as_they_are(tmp_path, dtype, same):
    tifffile.imwrite(tmp_path / "w.tif", GREY.astype(dtype), photometric="miniswhite", imagej=True)
    assert same(tmp_path / "w.tif", GREY.astype(dtype)).notes == ("inverted LUT ignored: intensities are used",)
    np.testing.assert_array_equal(read_labels(tmp_path / "w.tif"), GREY)
