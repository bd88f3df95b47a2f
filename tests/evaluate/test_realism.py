import warnings

import numpy as np
import pytest
import torch
from monai.metrics.fid import get_fid_score
from scipy.ndimage import gaussian_filter

from fewstain.evaluate.realism import (
    feature_scale,
    frechet_distance,
    kernel_mmd,
    pixel_statistics,
    random_features,
    realism,
)


def textures(n, seed, blur, contrast=0.3, channels=1):
    """Smooth random fields."""
    noise = np.random.default_rng(seed).standard_normal((n, channels, 24, 24))
    fields = gaussian_filter(noise, (0, 0, blur, blur))
    fields = contrast * fields / fields.std(axis=(2, 3), keepdims=True)
    return torch.from_numpy(fields.clip(-1, 1)).float()


@pytest.mark.parametrize("channels", [1, 3])
def test_images_of_the_same_kind_are_nearer_than_others(channels):
    real = textures(120, 0, 2.0, channels=channels)
    same = realism(textures(120, 1, 2.0, channels=channels), real)
    others = [
        textures(120, 1, 1.5, channels=channels),
        textures(120, 1, 2.0, contrast=0.4, channels=channels),
        textures(120, 1, 2.0, channels=channels) + 0.1,
        -real.abs(),
    ]
    for other in others:
        found = realism(other, real)
        assert found.frechet > 1.5 * same.frechet
        assert found.mmd > 4 * abs(same.mmd)
        assert found.pixels > 2 * same.pixels


def test_further_is_further():
    real = textures(100, 0, 2.0)
    steps = [realism(textures(100, 1, blur), real) for blur in (2.0, 1.7, 1.3, 0.8)]
    for name in ("frechet", "mmd", "pixels"):
        distances = [getattr(step, name) for step in steps]
        assert distances == sorted(distances)


def test_the_same_images_are_at_distance_0():
    real = textures(100, 0, 2.0)
    same = realism(real, real)
    assert same.frechet == pytest.approx(0, abs=1e-3)
    assert same.pixels == 0
    assert same.mmd < 0


def test_a_feature_that_hardly_varies_counts_by_what_it_varies():
    """Deviations 1, 2 and 0.001: the last is not blown up to 1, but divided by the median, as is the first."""
    features = np.array([[-1.0, -2.0, 4.999], [1.0, 2.0, 5.001]])
    mean, deviation = feature_scale(features)
    assert mean.tolist() == [0, 0, 5]
    assert deviation.tolist() == [1, 2, 1]
    assert feature_scale(np.ones((2, 3)))[1].tolist() == [1, 1, 1]


def test_frechet_distance_of_normal_distributions():
    """Of one feature: (difference of means)² + (difference of deviations)²."""
    x = np.array([[-1.0], [0.0], [1.0]])
    assert frechet_distance(x, 3 * x + 2) == pytest.approx(2**2 + 2**2)


def test_frechet_distance_is_monais_where_that_can_be_computed():
    random = np.random.default_rng(0)
    x, y = random.normal(0, 1, (60, 4)), random.normal(0.3, 2, (50, 4)) @ random.normal(0, 1, (4, 4))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = float(get_fid_score(torch.from_numpy(x), torch.from_numpy(y)))
    assert frechet_distance(x, y) == pytest.approx(theirs, rel=1e-6)


def test_kernel_mmd_of_literal_features():
    """Kernel (xy + 1)³ of one feature: k(0, 0) = 1, k(1, 1) = 8, k(0, 1) = 1."""
    zeros, ones = np.zeros((2, 1)), np.ones((3, 1))
    assert kernel_mmd(zeros, ones) == pytest.approx(1 + 8 - 2 * 1)


def test_mmd_sees_what_the_mean_hides():
    random = np.random.default_rng(0)
    narrow, wide = random.normal(0, 0.5, (400, 2)), random.normal(0, 1.5, (400, 2))
    assert kernel_mmd(narrow, wide) > 20 * abs(kernel_mmd(narrow, random.normal(0, 0.5, (400, 2))))


def test_features_are_each_images_own():
    images = textures(5, 0, 1.0)
    features = random_features(images)
    assert features.shape == (5, 80)
    torch.testing.assert_close(random_features(images.flip(0)), features.flip(0))
    torch.testing.assert_close(random_features(images[2:3]), features[2:3])
    assert random_features(images[:0]).shape == (0, 80)


def test_pixel_statistics_of_a_ramp():
    ramp = torch.linspace(-1, 1, 9).expand(1, 1, 9, 9)
    levels = np.repeat(np.linspace(-1, 1, 9), 9)
    expected = [*np.percentile(levels, (1, 25, 50, 75, 99)), levels.std(), 0.25 / 2**0.5, 1 / 2**0.5]
    np.testing.assert_allclose(pixel_statistics(ramp), [expected], atol=1e-6)
