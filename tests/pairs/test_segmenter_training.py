import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from fewstain.pairs.segmenter_training import (
    SHARP,
    SMOOTH,
    UNLABELED,
    LabeledCrops,
    augmented,
    geometry,
    labeled_crops,
    labeled_planes,
    near,
    segmentation_loss,
)
from fewstain.pixels.labeled_window import label_window
from fewstain.pixels.views import Lights
from fewstain.settings import SegmenterSettings

SETTINGS = SegmenterSettings(crop=32, views=2)


def window(labels, corner=(0, 0), size=(160, 160), classes=None, group="a"):
    image = np.zeros((1, *size), np.float32)
    return label_window(image, labels, corner, "w", group, 4, classes)


def square(side=64, top=20, length=24):
    labels = np.zeros((side, side), np.int32)
    labels[top : top + length, top : top + length] = 1
    return labels


def test_surroundings_are_seen_but_not_labeled():
    planes = labeled_planes(window(square(), (40, 60)), margin=8)
    assert planes[SMOOTH].shape == (2, 80, 80)
    labels, kinds, known = planes[SHARP]
    assert (labels[:8] == UNLABELED).all()
    assert (labels[:, -8:] == UNLABELED).all()
    assert (labels[8:-8, 8:-8].numpy() == square()).all()
    assert not kinds.any()
    assert known[8:-8, 8:-8].all()
    assert not known[:8].any()


def test_nothing_is_learned_near_a_held_out_window_of_the_same_image():
    here = window(square(), (40, 60))
    beside = window(square(), (40, 130))  # begins 6 columns after the end of the other; 32 are kept clear
    labels, _, known = labeled_planes(here, 0, near(here, [beside]))[SHARP]
    assert (labels[:, 38:] == UNLABELED).all()
    assert (labels[:, :38].numpy() == square()[:, :38]).all()
    assert not known[:, 38:].any()
    other = replace(beside, group="b")
    assert (labeled_planes(here, 0, near(here, [other]))[SHARP][0] != UNLABELED).all()


def test_a_crop_has_thin_boundaries_at_every_zoom_and_the_kind_of_its_object_inside():
    planes = labeled_planes(window(square(), (40, 60), classes={1: 1}), margin=16)
    moves, lights = geometry(32).set_random_state(0), Lights(np.random.default_rng(0))
    seen = [augmented(planes, moves, lights) for _ in range(12)]
    assert {key: tuple(each.shape) for key, each in seen[0].items()} == {
        "image": (1, 32, 32),
        "classes": (1, 32, 32),
        "distance": (1, 32, 32),
        "known": (1, 32, 32),
    }
    areas = []
    for each in seen:
        classes = each["classes"][0].numpy()
        assert set(np.unique(classes)) <= {UNLABELED, 0, 1, 3}  # 3 = 2 + class 1
        inside, boundary = classes == 3, classes == 1
        # a boundary pixel always has something other than its object beside it
        padded = np.pad(inside | boundary, 1, mode="edge")
        full = np.ones_like(inside)
        for y in (-1, 0, 1):
            for x in (-1, 0, 1):
                full &= padded[1 + y : 33 + y, 1 + x : 33 + x]
        assert not (boundary & full).any()
        areas.append(np.count_nonzero(inside | boundary))
    assert max(areas) > 1.2 * min(area for area in areas if area)


def test_crops_are_a_function_of_the_random_state():
    crops = labeled_crops([window(square(), (40, 60))], SETTINGS, np.random.default_rng(0))
    one, again, other = (crops.draw(3, np.random.default_rng(seed)) for seed in (5, 5, 6))
    for key, plane in one.items():
        assert torch.equal(plane, again[key])
    assert not torch.equal(one["classes"], other["classes"])


def test_windows_come_with_views_and_pairs_take_their_share():
    windows = [window(square(), (40, 60))]
    crops = labeled_crops(windows, SETTINGS, np.random.default_rng(0), pairs=[window(square(64, 2, 60))])
    assert (len(crops.labeled), len(crops.pairs)) == (3, 1)
    large = crops.draw(400, np.random.default_rng(0))["classes"].flatten(1).gt(0).float().mean(1) > 0.6
    assert large.float().mean().item() == pytest.approx(0.5, abs=0.08)
    alone = LabeledCrops(crops.labeled, (), 0.0, 32).draw(50, np.random.default_rng(0))
    assert alone["classes"].shape == (50, 1, 32, 32)


def test_loss_counts_labeled_pixels_and_known_distances_only():
    output = torch.zeros(1, 4, 1, 3)  # all classes equally likely, distance 0.5
    targets = {
        "classes": torch.tensor([[[[0, 2, UNLABELED]]]]),
        "distance": torch.tensor([[[[0.5, 1.0, 0.0]]]]),
        "known": torch.tensor([[[[1.0, 1.0, 0.0]]]]),
    }
    assert segmentation_loss(output, targets).item() == pytest.approx(math.log(3) + 0.25)
    output[0, 0, 0, 2] = 100.0  # at the pixel without a label
    assert segmentation_loss(output, targets).item() == pytest.approx(math.log(3) + 0.25)
    nothing = {**targets, "classes": torch.full((1, 1, 1, 3), UNLABELED), "known": torch.zeros(1, 1, 1, 3)}
    assert segmentation_loss(output, nothing).item() == 0
