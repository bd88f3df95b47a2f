import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from fewstain.pixels.gather import gather, most_pixels, stratified_pixels
from fewstain.pixels.targets import pixel_targets

SIDES = st.integers(1, 12)


@settings(max_examples=40)
@given(
    st.lists(st.tuples(st.integers(1, 3), SIDES, SIDES), min_size=1, max_size=3), st.integers(1, 24), st.integers(1, 24)
)
def test_gathered_features_are_those_of_the_upsampled_maps(shapes, height, width):
    generator = torch.Generator().manual_seed(0)
    maps = [torch.randn(1, *shape, generator=generator) for shape in shapes]
    rows, columns = (each.ravel() for each in torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij"))
    plain = [functional.interpolate(each, (height, width), mode="bilinear", align_corners=False) for each in maps]
    expected = torch.cat(plain, dim=1)[0, :, rows, columns].T
    torch.testing.assert_close(gather(maps, rows, columns, (height, width)), expected, atol=1e-4, rtol=0)


def test_pixels_are_drawn_evenly_from_each_kind():
    labels = np.zeros((40, 40), int)
    labels[10:20, 10:20] = 1
    targets = pixel_targets(labels)
    rows, columns = stratified_pixels(targets, 40, np.random.default_rng(0))
    drawn = targets.classes[rows, columns]
    outside = np.hypot(
        *(np.maximum(np.abs(each - 14.5) - 4.5, 0) for each in (rows, columns))
    )  # pixels from the object
    assert len(set(zip(rows, columns, strict=True))) == 40
    assert [(outside > 3).sum(), *np.bincount(drawn)] == [10, 20, 10, 10]


def test_a_kind_with_few_pixels_gives_all_of_them():
    labels = np.zeros((20, 20), int)
    labels[5:8, 5:8] = 1  # one interior pixel
    targets = pixel_targets(labels)
    rows, columns = stratified_pixels(targets, 400, np.random.default_rng(0))
    assert np.bincount(targets.classes[rows, columns])[2] == 1
    assert np.bincount(targets.classes[rows, columns])[1] == 8


def test_windows_of_one_kind():
    for value in (0, 1):
        rows, columns = stratified_pixels(pixel_targets(np.full((6, 5), value)), 12, np.random.default_rng(0))
        assert len(rows) == len(columns) == 12


@given(n=st.integers(1, 60), seed=st.integers(0, 9))
@settings(deadline=None, max_examples=25)
def test_no_more_pixels_are_drawn_than_room_is_made_for(n, seed):
    labels = np.zeros((12, 12), np.int32)
    labels[2:7, 2:7], labels[7:11, 2:9] = 1, 2
    targets = pixel_targets(labels)
    rows, _ = stratified_pixels(targets, n, np.random.default_rng(seed))
    assert min(n, 12) <= len(rows) <= most_pixels(n, int(targets.classes.max()))
