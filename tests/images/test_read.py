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
    namesakes,
    read_header,
    read_image,
    read_labels,
    stem,
)

GREY = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)
PLANES = np.stack([GREY, GREY + 1, GREY + 2])


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


def test_an_image_too_large_for_memory_is_not_called_damaged(monkeypatch, tmp_path):
    def read(path):
        raise MemoryError

    (tmp_path / "a.png").touch()
    monkeypatch.setattr("fewstain.images.raster.read", read)
    with pytest.raises(UserError, match=r"a\.png: asks for more memory than there is; cut it in parts"):
        read_image(tmp_path / "a.png")


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
