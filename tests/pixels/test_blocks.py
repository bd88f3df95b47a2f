from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.draw import disk, ellipse

from fewstain.layout import normalised_distance
from fewstain.pixels import blocks as blocks_module
from fewstain.pixels.blocks import _free_part, blocks, decode_blocks
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters, decode
from fewstain.pixels.planes import Planes
from fewstain.pixels.predict import ImageMaps

# Smoothing is off: its levels depend on which other objects are seen along with one.
LOCAL = DecoderParameters(smoothing=0, shape_weight=0, h=0.1, min_area=4, max_radius=6)


@pytest.fixture(autouse=True)
def _small_margin(monkeypatch):
    monkeypatch.setattr(blocks_module, "LEAST_MARGIN", 4)


def true_maps(labels):
    """Perfect maps; a trace of noise decides between equal pixels, which the watershed would take in any order."""
    planes = np.zeros((5, *labels.shape), np.float32)
    noise = np.random.default_rng(0).uniform(0, 1e-4, labels.shape)
    planes[0], planes[2], planes[3] = labels == 0, labels > 0, normalised_distance(labels) - noise
    return ImageMaps(Planes(planes))


def decode_whole(maps, parameters):
    return decode(1 - maps.probabilities[0], maps.probabilities[1], maps.distance, parameters)


def in_blocks(maps, parameters, core):
    labels = Planes(np.zeros(maps.shape, np.int32))
    parts = list(decode_blocks(maps, Consensus((parameters,)), labels, core))
    return labels.array, parts


def partition(labels):
    """Objects as sets of pixels, whatever their numbers."""
    return {tuple(np.flatnonzero(labels == label)) for label in np.unique(labels) if label}


def test_cores_tile_the_image_and_windows_add_a_margin():
    found = list(blocks((10, 25), core=10, margin=4))
    assert [each.core[1] for each in found] == [slice(0, 10), slice(10, 20), slice(20, 25)]
    assert [each.window[1] for each in found] == [slice(0, 14), slice(6, 24), slice(16, 25)]
    assert all(each.core[0] == each.window[0] == slice(0, 10) for each in found)
    assert [each.last_in_row for each in found] == [False, False, True]
    assert found[0].owns(9, 9)
    assert not found[0].owns(9, 10)
    assert found[1].comes_after(3, 9)
    assert not found[1].comes_after(3, 10)


def test_an_object_on_a_seam_comes_out_whole_and_once():
    labels = np.zeros((20, 50), np.int32)
    labels[8:13, 16:25] = 1  # straddles the seam at column 20
    labels[0:4, 0:4] = 2
    decoded, parts = in_blocks(true_maps(labels), LOCAL, core=20)
    assert len(parts) == 2
    assert partition(decoded) == partition(labels)
    assert sorted(np.unique(decoded)) == [0, 1, 2]


def test_an_object_on_the_corner_of_four_blocks():
    labels = np.zeros((48, 48), np.int32)
    labels[20:28, 20:28] = 1
    decoded, parts = in_blocks(true_maps(labels), replace(LOCAL, max_radius=4), core=24)
    assert len(parts) == 4
    assert partition(decoded) == partition(labels)
    assert sum(bool(part.labels.any()) for part in parts) == 1


def test_blocks_hand_out_final_numbers():
    rng = np.random.default_rng(0)
    labels = draw(rng, (90, 100), 40)
    decoded, parts = in_blocks(true_maps(labels), LOCAL, core=30)
    assert len(parts) > 4
    together = np.zeros_like(decoded)
    for part in parts:
        inside = part.labels > 0
        assert not together[part.rows, part.columns][inside].any()
        together[part.rows, part.columns][inside] = part.labels[inside]
        assert part.maps.shape == part.labels.shape
    assert (together == decoded).all()
    assert np.unique(decoded).tolist() == list(range(decoded.max() + 1))


def draw(rng, shape, n):
    """Ellipses apart from each other."""
    labels = np.zeros(shape, np.int32)
    for label in range(1, n + 1):
        rows, columns = ellipse(*rng.uniform(0, shape), *rng.uniform(2, 6, 2), shape=shape, rotation=rng.uniform(0, 3))
        grown = labels[rows.min() - 1 if rows.min() else 0 : rows.max() + 2,
                       columns.min() - 1 if columns.min() else 0 : columns.max() + 2]  # fmt: skip
        if not grown.any():
            labels[rows, columns] = label
    return labels


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), core=st.sampled_from([24, 40, 64]))
def test_true_maps_in_blocks_give_what_the_whole_gives(seed, core):
    maps = true_maps(draw(np.random.default_rng(seed), (80, 100), 40))
    assert partition(in_blocks(maps, LOCAL, core)[0]) == partition(decode_whole(maps, LOCAL))


def test_touching_objects_are_split_alike():
    labels = np.zeros((30, 90), np.int32)
    for index in range(8):  # a chain of touching discs across three blocks
        rows, columns = ellipse(15, 8 + 10 * index, 5.5, 5.5, shape=labels.shape)
        labels[rows, columns] = index + 1
    maps = true_maps(labels)
    whole = decode_whole(maps, LOCAL)
    assert whole.max() == 8
    assert partition(in_blocks(maps, LOCAL, core=30)[0]) == partition(whole)


def test_foreground_without_end_leaves_no_object_twice():
    rng = np.random.default_rng(1)
    planes = np.zeros((5, 120, 120), np.float32)
    planes[2], planes[3] = 1, rng.random((120, 120))
    maps = ImageMaps(Planes(planes))
    decoded, parts = in_blocks(maps, replace(LOCAL, smoothing=0.3), core=40)
    sizes = np.bincount(decoded.ravel())[1:]
    assert sizes.min() >= LOCAL.min_area
    assert np.unique(decoded[decoded > 0]).tolist() == list(range(1, decoded.max() + 1))
    assert (decoded > 0).mean() > 0.9
    assert sum(np.count_nonzero(part.labels) for part in parts) == np.count_nonzero(decoded)


@pytest.mark.parametrize("length", [70, 150])
def test_long_objects_across_seams_come_out_whole_and_once(length):
    """Fibres far longer than the margin of 18 pixels, side by side across a seam, one along it and one alone."""
    labels = np.zeros((240, 240), np.int32)
    for number in range(8):
        labels[10 + 20 * number : 16 + 20 * number, 4 + 3 * number : 4 + 3 * number + length] = number + 1
    labels[180:, 36:44] = 9
    labels[200:206, 60 : 60 + length] = 10
    decoded, parts = in_blocks(true_maps(labels), LOCAL, core=60)
    assert partition(decoded) == partition(labels)
    assert decoded.max() == 10
    assert not any(part.cut for part in parts)


def test_a_rare_giant_comes_out_whole_among_small_objects():
    labels = draw(np.random.default_rng(3), (300, 300), 150)
    rows, columns = disk((140, 150), 60, shape=labels.shape)
    for label in np.unique(labels[slice(78, 203), slice(88, 213)]):
        labels[labels == label] = 0
    labels[rows, columns] = 1000
    decoded, parts = in_blocks(true_maps(labels), LOCAL, core=120)
    assert partition(decoded) == partition(decode_whole(true_maps(labels), LOCAL))
    assert np.unique(decoded[rows, columns]).size == 1
    together = np.zeros_like(decoded)
    for part in parts:
        together[part.rows, part.columns] += part.labels
        assert set(part.confidence) == set(np.unique(part.labels)) - {0}
    assert (together == decoded).all()


def test_an_object_around_a_corner_belongs_to_a_block_that_sees_it():
    """Its box is centred in a block that holds none of its pixels."""
    labels = np.zeros((120, 120), np.int32)
    labels[4:80, 4:10] = 1
    labels[4:10, 4:80] = 1
    decoded, _ = in_blocks(true_maps(labels), LOCAL, core=36)
    assert partition(decoded) == partition(labels)


def random_bars(seed):
    """Bars of any length, straight and apart from each other."""
    rng = np.random.default_rng(seed)
    labels = np.zeros((160, 180), np.int32)
    for label in range(1, 40):
        length, width = rng.integers(6, 120), rng.integers(3, 7)
        box = (length, width) if rng.random() < 0.5 else (width, length)
        y, x = rng.integers(0, 160), rng.integers(0, 180)
        if not labels[max(y - 1, 0) : y + box[0] + 1, max(x - 1, 0) : x + box[1] + 1].any():
            labels[y : y + box[0], x : x + box[1]] = label
    return labels


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), core=st.sampled_from([40, 64, 100]))
def test_long_objects_in_blocks_are_those_of_the_whole(seed, core):
    maps = true_maps(random_bars(seed))
    whole, (decoded, parts) = decode_whole(maps, LOCAL), in_blocks(maps, LOCAL, core)
    assert partition(decoded) == partition(whole)
    assert sum(len(part.confidence) for part in parts) == whole.max()


def test_what_no_window_shows_whole_is_told_and_cut_along_the_seams():
    planes = np.zeros((5, 300, 300), np.float32)
    planes[2], planes[3] = 1, 1
    decoded, parts = in_blocks(ImageMaps(Planes(planes)), LOCAL, core=60)
    assert sum(part.cut for part in parts) == len(parts) == decoded.max() == 25
    assert (decoded[:60, :60] == decoded[0, 0]).all()
    assert (np.bincount(decoded.ravel())[1:] == 60 * 60).all()


def test_an_object_cut_in_two_by_another_one_keeps_its_larger_piece():
    free = _free_part(np.ones((1, 9), bool), np.array([[0, 0, 0, 7, 0, 0, 0, 0, 0]]), 2)
    assert free.tolist() == [[False] * 4 + [True] * 5]
    assert _free_part(np.ones((1, 9), bool), np.array([[0, 0, 0, 7, 0, 0, 0, 0, 0]]), 6) is None
    assert _free_part(np.ones((1, 4), bool), np.array([[0, 0, 7, 7]]), 1) is None


def test_empty_foreground_gives_no_objects():
    decoded, _ = in_blocks(true_maps(np.zeros((50, 50), np.int32)), LOCAL, core=20)
    assert decoded.max() == 0
