import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image as Pillow

from fewstain.images.read import (
    read_image,
    read_labels,
)

GREY = np.arange(20 * 30, dtype=np.uint8).reshape(20, 30)


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
def test_png_keeps_all_its_bits(tmp_path, pixels, read, same):
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


def test_jpeg(tmp_path, same):
    Pillow.fromarray(np.full((20, 30, 3), 9, np.uint8)).save(tmp_path / "a.JPG")
    same(tmp_path / "a.JPG", np.full((20, 30, 3), 9, np.uint8))
