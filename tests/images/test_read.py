import struct
import zlib
from pathlib import Path
from types import SimpleNamespace

import imagecodecs
import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Pillow

from fewstain.errors import UserError
from fewstain.images.read import (
    are_rgb,
    content_hash,
    extension,
    image_size,
    namesakes,
    read_header,
    read_image,
    read_labels,
    stem,
)

GREY = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
TWO = np.stack([GREY, GREY[::-1]])


def same(path, pixels):
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, pixels if pixels.ndim == 3 else pixels[..., None])
    assert image.pixels.dtype == pixels.dtype.newbyteorder("=")
    assert image_size(path) == (*image.pixels.shape, image.pixels.dtype)
    return image


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
def test_tiff_of_every_kind(tmp_path, pixels, options):
    tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    same(tmp_path / "a.tif", pixels)


def test_planar_rgb_and_rgba(tmp_path):
    rgb = np.stack([GREY, GREY + 1, GREY + 2])
    tifffile.imwrite(tmp_path / "planar.tif", rgb, photometric="rgb", planarconfig="separate")
    same(tmp_path / "planar.tif", np.moveaxis(rgb, 0, -1))
    rgba = np.moveaxis(np.concatenate([rgb, GREY[None]]), 0, -1)
    tifffile.imwrite(tmp_path / "rgba.tif", rgba, photometric="rgb", extrasamples=["unassalpha"])
    assert same(tmp_path / "rgba.tif", rgba[..., :3]).notes == ("alpha channel dropped",)


@pytest.mark.parametrize(("axes", "pixels"), [("CYX", TWO), ("TCZYX", TWO[None, :, None])])
def test_ome_axes_and_pixel_size(tmp_path, axes, pixels):
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


PLANES = np.stack([GREY, GREY + 1, GREY + 2])


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


@pytest.mark.parametrize(("axes", "rgb"), [("YXS", True), ("CYX", False)])
def test_a_vendors_format_tells_whether_it_is_rgb(monkeypatch, tmp_path, axes, rgb):
    opened = SimpleNamespace(
        dims=SimpleNamespace(order=axes, C=3, S=3, Y=20, X=30),
        physical_pixel_sizes=SimpleNamespace(Z=None, Y=None, X=None),
        dtype="uint8",
        scenes=("first",),
    )
    monkeypatch.setattr("fewstain.images.bio._open", lambda _: opened)
    (tmp_path / "a.czi").touch()
    assert read_header(tmp_path / "a.czi").rgb == rgb


def test_pictures_are_rgb_and_all_of_several_files_must_be(tmp_path):
    for name, pixels in (("a.png", np.moveaxis(PLANES, 0, -1)), ("b.jpg", np.moveaxis(PLANES, 0, -1)), ("c.png", GREY)):
        Pillow.fromarray(pixels).save(tmp_path / name)
    (tmp_path / "d.png").write_bytes(imagecodecs.png_encode(np.stack(PLANES.astype(np.uint16), -1)))
    names = ["a.png", "b.jpg", "d.png", "c.png"]
    assert [read_image(tmp_path / name).rgb for name in names] == [True, True, True, False]
    assert are_rgb(tmp_path / name for name in names[:3])
    assert not are_rgb(tmp_path / name for name in names)


def test_pixels_of_vendors_formats_that_are_not_square(monkeypatch, tmp_path):
    opened = SimpleNamespace(
        dims=SimpleNamespace(order="CYX", C=1, Y=20, X=30),
        physical_pixel_sizes=SimpleNamespace(Z=None, Y=1.0, X=0.5),
        dtype="uint8",
        scenes=("first",),
    )
    monkeypatch.setattr("fewstain.images.bio._open", lambda _: opened)
    (tmp_path / "a.czi").touch()
    head = read_header(tmp_path / "a.czi")
    assert (head.pixel_size_um, head.oblong_um) == (None, (1.0, 0.5))


def test_sides_that_differ_by_rounding_are_square(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY, ome=True, metadata={"PhysicalSizeX": 0.3225, "PhysicalSizeY": 0.3226})
    image = read_image(tmp_path / "a.tif")
    assert (image.pixel_size_um, image.oblong_um) == (0.3225, None)


@pytest.mark.parametrize("metadata", [{"axes": "YXC"}, {}])
def test_channels_last(tmp_path, metadata):
    tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(TWO, 0, -1), photometric="minisblack", metadata=metadata)
    same(tmp_path / "a.tif", np.moveaxis(TWO, 0, -1))


def test_imagej_channels_and_pixel_size(tmp_path):
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


def test_miniswhite_is_inverted(tmp_path):
    tifffile.imwrite(tmp_path / "w.tif", GREY, photometric="miniswhite")
    assert same(tmp_path / "w.tif", 255 - GREY).notes == ("stored with 0 as white; inverted",)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_an_inverted_lut_of_imagej_leaves_intensities_as_they_are(tmp_path, dtype):
    tifffile.imwrite(tmp_path / "w.tif", GREY.astype(dtype), photometric="miniswhite", imagej=True)
    assert same(tmp_path / "w.tif", GREY.astype(dtype)).notes == ("inverted LUT ignored: intensities are used",)
    np.testing.assert_array_equal(read_labels(tmp_path / "w.tif"), GREY)


@pytest.mark.parametrize(
    ("pixels", "read"),
    [
        (GREY, GREY),
        (GREY.astype(np.uint16) * 250, GREY.astype(np.uint16) * 250),
        (np.stack([GREY] * 2, -1), GREY),
        (np.stack([GREY] * 4, -1), np.stack([GREY] * 3, -1)),
        (np.stack([GREY.astype(np.uint16) * 250] * 3, -1), np.stack([GREY.astype(np.uint16) * 250] * 3, -1)),
        (np.stack([GREY.astype(np.uint16) * 250] * 4, -1), np.stack([GREY.astype(np.uint16) * 250] * 3, -1)),
    ],
)
def test_png_keeps_all_its_bits(tmp_path, pixels, read):
    (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(pixels))
    same(tmp_path / "a.png", read)


def test_palette_png_is_coloured_as_image_and_indices_as_labels(tmp_path):
    picture = Pillow.fromarray(GREY).convert("P")
    picture.putpalette(np.random.default_rng(0).integers(0, 255, 768, dtype=np.uint8).tobytes())
    picture.save(tmp_path / "p.png")
    assert read_image(tmp_path / "p.png").pixels.shape == (20, 30, 3)
    np.testing.assert_array_equal(read_labels(tmp_path / "p.png"), GREY)


def grey_png(depth, row):
    """A PNG of one row of bytes, each holding 8 / depth pixels."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    size = struct.pack(">IIBBBBB", len(row) * 8 // depth, 1, depth, 0, 0, 0, 0)
    pixels = zlib.compress(b"\0" + bytes(row))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("depth", "row", "labels"),
    [
        (1, [0b01100001], [0, 1, 1, 0, 0, 0, 0, 1]),
        (2, [0b00011011], [0, 1, 2, 3]),
        (4, [0x01, 0x2F], [0, 1, 2, 15]),
        (8, [0, 1, 2, 255], [0, 1, 2, 255]),
    ],
)
def test_labels_of_few_bits_are_the_values_of_the_png(tmp_path, depth, row, labels):
    (tmp_path / "l.png").write_bytes(grey_png(depth, row))
    assert read_labels(tmp_path / "l.png").tolist() == [labels]
    assert read_image(tmp_path / "l.png").pixels.max() == 255


def test_jpeg(tmp_path):
    Pillow.fromarray(np.full((20, 30, 3), 9, np.uint8)).save(tmp_path / "a.JPG")
    same(tmp_path / "a.JPG", np.full((20, 30, 3), 9, np.uint8))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_not_a_number(tmp_path, value):
    tifffile.imwrite(tmp_path / "n.tif", np.full((4, 4), value, np.float32))
    with pytest.raises(UserError, match=r"n\.tif: holds NaN or infinite"):
        read_image(tmp_path / "n.tif")


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("plain.tif", {}),
        ("zlib.tif", {"compression": "zlib"}),
        ("a.ome.tif", {"metadata": {"axes": "CYX"}, "photometric": "minisblack"}),
        ("imagej.tif", {"imagej": True, "metadata": {"axes": "CYX"}}),
    ],
)
def test_a_truncated_tiff_is_refused_or_complete(tmp_path, name, options):
    pixels = np.random.default_rng(0).integers(0, 255, (2, 20, 30), dtype=np.uint8)
    tifffile.imwrite(tmp_path / name, pixels if "metadata" in options else pixels[0], **options)
    refused_when_cut(tmp_path / name)


@pytest.mark.parametrize("name", ["a.png", "a.jpg"])
def test_a_truncated_picture_is_refused_or_complete(tmp_path, name):
    Pillow.fromarray(GREY).save(tmp_path / name)
    refused_when_cut(tmp_path / name)


def refused_when_cut(path):
    whole, pixels = path.read_bytes(), read_image(path).pixels
    refused = 0
    for length in {*range(0, len(whole), max(1, len(whole) // 40)), len(whole) - 1}:
        path.write_bytes(whole[:length])
        try:
            np.testing.assert_array_equal(read_image(path).pixels, pixels)
        except UserError as error:
            refused += str(path) in str(error)
    assert refused > 30


@pytest.mark.parametrize("name", ["a.tif", "a.png", "a.jpg"])
@given(content=st.binary(max_size=64))
def test_rubbish_is_refused_by_name(tmp_path_factory, name, content):
    path = tmp_path_factory.mktemp("rubbish") / name
    path.write_bytes(content)
    with pytest.raises(UserError, match=name):
        read_image(path)


def test_vendors_formats_tell_how_to_install_their_readers(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "bioio", None)
    (tmp_path / "a.czi").write_bytes(b"ZISRAWFILE")
    with pytest.raises(UserError, match=r"a\.czi: .*\.\[bio\]"):
        read_image(tmp_path / "a.czi")


def test_absent_and_unknown_files(tmp_path):
    with pytest.raises(UserError, match=r"a\.tif: no such file"):
        read_image(tmp_path / "a.tif")
    with pytest.raises(UserError, match=r"a\.doc: not an image format"):
        read_image(tmp_path / "a.doc")


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        (np.zeros((4, 4), np.float32), "float32, not integers"),
        (np.full((4, 4), -1, np.int16), "negative"),
        (np.zeros((4, 4, 3), np.uint8), "3 channels"),
        (np.full((4, 4), 2**31, np.uint32), "exceed"),
    ],
)
def test_what_labels_may_not_be(tmp_path, labels, told):
    tifffile.imwrite(tmp_path / "l.tif", labels)
    with pytest.raises(UserError, match=rf"l\.tif: .*{told}"):
        read_labels(tmp_path / "l.tif")


def test_boolean_labels_are_one_object(tmp_path):
    tifffile.imwrite(tmp_path / "l.tif", GREY > 100)
    np.testing.assert_array_equal(read_labels(tmp_path / "l.tif"), GREY > 100)


@pytest.mark.parametrize(
    ("name", "expected"),
    [("a.b.tif", "a.b"), ("c.ome.tif", "c"), ("C.OME.TIFF", "C"), ("d.png", "d"), ("e", "e"), (".tif", ".tif")],
)
def test_stem_cuts_one_known_extension(name, expected):
    assert stem(name) == expected
    assert (extension(name) == "") == (expected == name)


def test_namesakes_differ_in_extension_or_capitals():
    a, b, upper, ome = (Path(name) for name in ("a.tif", "b.tif", "A.png", "b.ome.tif"))
    assert list(namesakes([a, b, upper, ome])) == [(upper, a), (ome, b)]


def test_content_hash_sees_pixels_only(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", GREY)
    tifffile.imwrite(tmp_path / "b.tif", GREY, compression="zlib")
    a, b = (read_image(tmp_path / name).pixels for name in ("a.tif", "b.tif"))
    assert content_hash(a) == content_hash(b)
    assert content_hash(a) != content_hash(a.reshape(30, 20, 1))
