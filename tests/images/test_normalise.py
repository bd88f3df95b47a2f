import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewstain.images.normalise import Normaliser, fit_normaliser

RAMP = np.arange(1001, dtype=np.uint16).reshape(7, 143, 1)


def test_percentiles_become_the_ends():
    low, high = Normaliser(low=1, high=99).range(RAMP)
    assert (low[0], high[0]) == pytest.approx((10, 990))
    values = Normaliser(low=1, high=99).apply(RAMP)
    assert values.shape == (1, 7, 143)
    assert values.dtype == np.float32
    assert values.ravel()[[0, 10, 500, 990, 1000]].tolist() == pytest.approx([-1, -1, 0, 1, 1], abs=1e-6)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
@pytest.mark.parametrize("value", [0, 77])
def test_a_constant_image_is_flat_and_dark(dtype, value):
    assert (Normaliser().apply(np.full((4, 5, 2), value, dtype)) == -1).all()


@pytest.mark.parametrize(("anchor", "expected"), [(0.0, -1.0), (0.5, 0.0), (1.0, 1.0)])
def test_a_blank_field_lies_where_backgrounds_lie(anchor, expected):
    values = Normaliser(floor=(100.0,), anchor=anchor).apply(np.full((4, 4, 1), 50, np.uint8))
    np.testing.assert_allclose(values, expected)


def test_noise_of_a_blank_field_is_not_amplified():
    rng = np.random.default_rng(0)
    blank = rng.normal(100, 1, (64, 64, 1)).astype(np.float32)
    cells = blank.copy()
    cells[20:40, 20:40] += 500
    normaliser = fit_normaliser([cells] * 4 + [blank])
    assert normaliser.floor[0] == pytest.approx(50, rel=0.05)
    assert normaliser.anchor == 0
    assert normaliser.apply(blank).max() < -0.6
    assert normaliser.apply(cells)[0, 30, 30] > 0.9


def test_bright_background_is_found():
    section = np.full((32, 32, 3), 240, np.uint8)
    section[10:20, 10:20] = (120, 60, 140)
    assert fit_normaliser([section]).anchor == 1
    assert fit_normaliser([section]).joint


@pytest.mark.parametrize(
    ("channels", "dtype", "rgb", "joint"),
    [(3, "uint8", None, True), (3, "uint8", True, True), (3, "uint8", False, False), (3, "uint16", True, False),
     (2, "uint8", True, False)],
)  # fmt: skip
def test_three_channels_share_a_range_unless_their_files_say_they_are_not_rgb(channels, dtype, rgb, joint):
    pixels = np.random.default_rng(0).integers(0, 255, (8, 8, channels)).astype(dtype)
    assert fit_normaliser([pixels], rgb=rgb).joint == joint


def test_rgb_keeps_its_hue_and_channels_their_own_range():
    pixels = np.stack([RAMP[..., 0], RAMP[..., 0] // 2, RAMP[..., 0] // 4], -1)
    joint = Normaliser(0, 100, joint=True).apply(pixels)
    np.testing.assert_allclose((joint[1] + 1) / 2, (joint[0] + 1) / 4, atol=1e-2)
    apart = Normaliser(0, 100).apply(pixels)
    assert apart.max(axis=(1, 2)).tolist() == [1, 1, 1]


@given(scale=st.floats(0.01, 1e4), shift=st.floats(-1e4, 1e4), seed=st.integers(0, 9))
def test_gain_and_offset_of_a_camera_do_not_matter(scale, shift, seed):
    pixels = np.random.default_rng(seed).normal(size=(8, 9, 1))
    a, b = Normaliser().apply(pixels), Normaliser().apply(pixels * scale + shift)
    np.testing.assert_allclose(a, b, atol=1e-3)
    assert np.abs(a).max() <= 1


def test_a_tile_with_the_images_range_equals_the_image():
    normaliser = Normaliser()
    whole = normaliser.apply(RAMP)
    np.testing.assert_array_equal(normaliser.apply(RAMP[2:5, 10:50], normaliser.range(RAMP)), whole[:, 2:5, 10:50])


def test_it_survives_json():
    normaliser = fit_normaliser([RAMP])
    assert Normaliser.from_dict(json.loads(json.dumps(normaliser.as_dict()))) == normaliser


def test_no_images_give_the_default():
    assert fit_normaliser([]) == Normaliser()


def test_restore_undoes_apply_where_nothing_was_clipped():
    pixels = np.stack([RAMP[..., 0], 3 * RAMP[..., 0] + 7], axis=-1)
    normaliser = Normaliser(low=0, high=100)
    limits = normaliser.range(pixels)
    restored = normaliser.restore(normaliser.apply(pixels, limits), limits, pixels.dtype)
    np.testing.assert_array_equal(restored, pixels)
    assert restored.dtype == np.uint16
    as_float = normaliser.restore(normaliser.apply(pixels, limits), limits, np.dtype(np.float32))
    np.testing.assert_allclose(as_float, pixels, atol=1e-3)


def test_restore_stays_within_the_dtype():
    limits = (np.array([-100.0]), np.array([400.0]))
    planes = np.array([[[-1.0, 0.0, 1.0]]])
    np.testing.assert_array_equal(Normaliser().restore(planes, limits, np.dtype(np.uint8))[0, :, 0], [0, 150, 255])
