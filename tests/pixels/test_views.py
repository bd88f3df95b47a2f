from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

from fewstain.pixels.colours import PoolColours
from fewstain.pixels.labeled_window import CONTEXT, label_window
from fewstain.pixels.targets import pixel_targets
from fewstain.pixels.views import MOST_ZOOM, VIEW_SIDE, draw_view, haze, held_out_views, other_light


def window(classes=None):
    """Two nuclei of 2 classes in a window that lies in an 80 x 80 image."""
    labels = np.zeros((48, 48), np.int32)
    labels[8:16, 10:18], labels[26:38, 24:36] = 1, 2
    image = np.full((1, 80, 80), -0.8, np.float32)
    image[0, 16:64, 16:64][labels > 0] = 0.5
    return label_window(image, labels, (16, 16), "w", "image", 8, classes)


def test_a_view_is_a_window_with_targets_of_its_own_labels():
    rng = np.random.default_rng(0)
    sides = set()
    for _ in range(20):
        view = draw_view(window(), rng)
        assert all(side % 8 == 0 for side in view.image.shape[1:])
        sides.add(view.image.shape[1])
        assert view.image.dtype == torch.float32
        assert float(view.image.abs().max()) <= 1
        expected = pixel_targets(view.labels)
        assert_array_equal(view.targets.classes, expected.classes)
        assert_array_equal(view.targets.distance, expected.distance)
    assert min(sides) < 80 < max(sides)  # other magnifications


def test_some_views_are_in_the_colours_of_another_image(monkeypatch):
    """Its own image is dark, the other one bright; 7 in 10 views draw one of the two."""
    monkeypatch.setattr("fewstain.pixels.views.other_light", lambda image, rng: image)
    colours = PoolColours(("image", "other"), np.array([[-0.8], [0.8]]), np.full((2, 1, 1), 0.04))
    seen = replace(window(), colours=colours)
    drawn = [draw_view(seen, np.random.default_rng(seed)) for seed in range(100)]
    for views in (drawn, held_out_views([seen], 100, seed=0)):
        levels = np.array([float(view.image[:, :8, :8].median()) for view in views])
        assert np.mean(levels > -0.79) == pytest.approx(0.35, abs=0.1)
        assert levels.max() > 0.5
    assert {float(view.image.median()) for view in held_out_views([window()], 20, seed=0)} == {np.float32(-0.8)}


def test_views_to_choose_a_decoder_by_keep_the_magnification():
    views = held_out_views([window()], 10, seed=0)
    assert {tuple(view.image.shape) for view in views} == {(1, 80, 80)}
    assert len({view.image.numpy().tobytes() for view in views}) == 10


def test_a_view_of_a_large_window_shows_a_part_of_it():
    labels = np.kron(np.arange(1, 17).reshape(4, 4), np.ones((64, 64), np.int32)).astype(np.int32)
    large = label_window(np.zeros((1, 256, 200), np.float32), labels[:, :200], (0, 0), "w", "image", 8)
    rng = np.random.default_rng(0)
    places = set()
    for _ in range(10):
        view = draw_view(large, rng)
        assert view.image.shape[1] <= MOST_ZOOM * VIEW_SIDE
        assert min(view.labels.shape) >= (VIEW_SIDE - 2 * CONTEXT) / MOST_ZOOM - 1
        places.add(tuple(view.origin))
    assert len(places) > 5


def test_views_show_copies_now_and_then_which_have_the_class_of_their_original():
    views = held_out_views([window({1: 0, 2: 1})], 20, seed=0)
    counts = [len(np.unique(view.labels)) - 1 for view in views]
    assert min(counts) == 2
    assert max(counts) > 2
    for view in views:
        assert set(view.class_of_label) == set(np.unique(view.labels)) - {0}
        for label, kind in view.class_of_label.items():
            # nuclei of 8 x 8 are of class 0, those of 12 x 12 of class 1; a little of them may be covered
            assert (np.count_nonzero(view.labels == label) > 100) == (kind == 1)


def test_labels_of_a_view_lie_on_what_is_bright():
    rng = np.random.default_rng(3)
    for _ in range(10):
        view = draw_view(window(), rng)
        pixels = view.image[0].numpy()[view.inside]
        assert pixels[view.labels > 0].mean() > pixels[view.labels == 0].mean()


def test_the_same_chance_gives_the_same_view():
    one, other = (draw_view(window(), np.random.default_rng(5)) for _ in range(2))
    torch.testing.assert_close(one.image, other.image, rtol=0, atol=0)
    assert_array_equal(one.labels, other.labels)


def test_haze_lowers_contrast_in_proportion_and_keeps_to_the_colours_there_are():
    image = np.zeros((2, 32, 32), np.float32)
    image[0, 10:20], image[1, 10:20] = 1.0, -0.5
    image[:, :10], image[:, 20:] = -0.5, 0.25
    hazy = haze(image, 0.75, np.random.default_rng(0))
    assert hazy.dtype == np.float32
    background = (hazy - 0.25 * image) / 0.75
    for channel, (low, high) in enumerate(((-0.5, 1.0), (-0.5, 0.25))):
        assert background[channel].min() >= low - 1e-5
        assert background[channel].max() <= high + 1e-5
    assert np.abs(np.diff(background[0], axis=0)).max() < 0.2  # smooth, unlike the image with its step of 1.5
    assert_allclose(haze(image, 0.0, np.random.default_rng(0)), image, atol=1e-6)


def test_other_light_changes_intensities_but_not_their_order_by_much():
    ramp = torch.linspace(-1, 1, 64).expand(1, 64, 64).contiguous()
    rng = np.random.default_rng(0)
    for _ in range(20):
        lit = other_light(ramp, rng)
        assert lit.shape == ramp.shape
        assert float(lit.min()) >= -1
        assert float(lit.max()) <= 1
        assert not torch.equal(lit, ramp)
    mean = torch.stack([other_light(ramp, rng) for _ in range(200)]).mean((0, 2))[0]
    assert float(mean[-1] - mean[0]) > 0.5
