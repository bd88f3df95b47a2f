import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from fewstain.export.training import write_plain
from fewstain.images.read import read_image, read_labels
from fewstain.images.write import is_bigtiff, write_image, write_labels, write_map, write_tiles


@given(
    labels=arrays(
        st.sampled_from([np.uint8, np.uint16, np.int32]),
        array_shapes(min_dims=2, max_dims=2, max_side=9),
        elements=st.integers(0, 200),
    )
)
def test_labels_come_back_as_they_were(tmp_path_factory, labels):
    path = tmp_path_factory.mktemp("labels") / "a.tif"
    write_labels(path, labels)
    np.testing.assert_array_equal(read_labels(path), labels)


@pytest.mark.parametrize(("largest", "dtype"), [(65535, np.uint16), (65536, np.uint32)])
def test_label_files_grow_to_32_bits_when_they_must(tmp_path, largest, dtype):
    write_labels(tmp_path / "a.tif", np.array([[0, largest]]))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.pages.first.dtype == dtype
        assert tif.pages.first.compression.name == "ADOBE_DEFLATE"


@pytest.mark.parametrize("labels", [np.zeros((2, 2)), np.array([[-1]]), np.zeros((1, 2, 2), int)])
def test_what_is_no_label_image(tmp_path, labels):
    with pytest.raises(ValueError, match="labels must be"):
        write_labels(tmp_path / "a.tif", labels)


def test_map(tmp_path):
    write_map(tmp_path / "a.tif", np.array([[0.25, 1.0]]))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), np.array([[0.25, 1.0]], np.float32))


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 2), (5, 6, 3), (5, 6, 4)])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("size", [None, 0.5])
def test_images_come_back_as_they_were(tmp_path, shape, dtype, size):
    pixels = np.arange(np.prod(shape)).reshape(shape).astype(dtype)
    write_image(tmp_path / "a.tif", pixels, size)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.pixels, pixels.reshape(5, 6, -1))
    assert image.pixels.dtype == dtype
    assert image.pixel_size_um == size


def tiles_of(array, side):
    return [
        array[y : y + side, x : x + side]
        for y in range(0, array.shape[0], side)
        for x in range(0, array.shape[1], side)
    ]


def test_tiles_make_the_image(tmp_path):
    labels = np.arange(40 * 50, dtype=np.uint32).reshape(40, 50)
    write_tiles(tmp_path / "a.tif", iter(tiles_of(labels, 16)), labels.shape, np.uint32, tile=16)
    np.testing.assert_array_equal(read_labels(tmp_path / "a.tif"), labels)


@pytest.mark.parametrize("change", [lambda tiles: tiles[:-1], lambda tiles: [*tiles, tiles[0]]])
def test_a_wrong_number_of_tiles_leaves_no_file(tmp_path, change):
    tiles = change(tiles_of(np.zeros((40, 50), np.uint16), 16))
    with pytest.raises(ValueError, match="tiles"):
        write_tiles(tmp_path / "a.tif", tiles, (40, 50), np.uint16, tile=16)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("shape", "dtype", "expected"),
    [((30000, 30000), np.float32, False), ((33000, 33000), np.float32, True), ((30000, 60000, 3), np.uint8, True)],
)
def test_images_past_4_gib_are_bigtiff(shape, dtype, expected):
    assert is_bigtiff(shape, dtype) == expected


@pytest.mark.parametrize(("limit", "expected"), [(4 * 40 * 50, False), (4 * 40 * 50 - 1, True)])
@pytest.mark.parametrize(
    "write",
    [
        lambda path, values: write_labels(path, values + 70000),
        write_map,
        lambda path, values: write_image(path, values.astype(np.float32)),
        lambda path, values: write_tiles(path, iter(tiles_of(values, 16)), values.shape, np.float32, tile=16),
        lambda path, values: write_plain(path, values.astype(np.float32), None),
    ],
)
def test_whatever_is_large_is_written_as_bigtiff(tmp_path, monkeypatch, write, limit, expected):
    monkeypatch.setattr("fewstain.images.write._LARGEST_CLASSIC", limit)
    write(tmp_path / "a.tif", np.zeros((40, 50), np.uint32))
    with tifffile.TiffFile(tmp_path / "a.tif") as tif:
        assert tif.is_bigtiff == expected
    assert read_image(tmp_path / "a.tif").pixels.shape == (40, 50, 1)
