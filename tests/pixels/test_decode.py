from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.testing import assert_array_equal

from fewstain.evaluate.matching import match
from fewstain.evaluate.scores import ScoreSum
from fewstain.images.read import read_labels, stem
from fewstain.pixels.decode import DecoderParameters, decode, decode_each
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.labeled_window import label_window
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.targets import BOUNDARY, pixel_targets
from fewstain.pixels.tune import decode_maps, tune_decoder

PLAIN = DecoderParameters(smoothing=0, min_area=1)


def decode_labels(labels, parameters=PLAIN):
    """Decode the true maps of labels."""
    targets = pixel_targets(labels)
    return decode(labels > 0, targets.classes == BOUNDARY, targets.distance, parameters)


def test_an_object_of_five_by_five():
    labels = np.array(
        [
            [0, 0, 0, 0, 0],
            [0, 1, 1, 1, 0],
            [0, 1, 1, 1, 0],
            [0, 1, 1, 1, 0],
            [0, 0, 0, 0, 0],
        ]
    )
    found = decode_labels(labels)
    assert_array_equal(found, labels)
    assert found.dtype == np.int32


def touching_squares():
    labels = np.zeros((13, 24), int)
    labels[2:11, 2:11], labels[2:11, 11:22] = 1, 2
    return labels


def test_two_squares_that_touch_are_two():
    assert_array_equal(decode_labels(touching_squares()), touching_squares())


def test_many_parameter_sets_find_what_each_finds_alone():
    labels = touching_squares()
    targets = pixel_targets(labels)
    maps = labels > 0, targets.classes == BOUNDARY, targets.distance
    sets = [
        PLAIN,
        replace(PLAIN, h=0.99, shape_weight=0),
        replace(PLAIN, foreground_threshold=1.0),
        replace(PLAIN, min_area=90),
    ]
    found = decode_each(*maps, sets)
    assert [int(each.max()) for each in found] == [2, 1, 0, 1]
    for each, parameters in zip(found, sets, strict=True):
        assert_array_equal(each, decode(*maps, parameters))


def test_seeds_that_rise_less_than_h_are_one():
    assert decode_labels(touching_squares(), replace(PLAIN, h=0.99, shape_weight=0)).max() == 1


def test_a_shallow_peak_is_split_off_by_no_neighbour_at_its_corner():
    """Two peaks of the left one rise by 0.1 over their saddle; the right one, higher, touches a corner of it."""
    distance = np.zeros((6, 12), np.float32)
    distance[0:3, 0:7] = [0.5, 0.6, 0.6, 0.5, 0.6, 0.6, 0.5]
    distance[3:6, 7:12] = 0.9
    flat = np.zeros_like(distance)
    found = decode(distance > 0, flat, distance, replace(PLAIN, shape_weight=0, h=0.2))
    assert found.max() == 2
    assert np.ptp(found[0:3, 0:7]) == np.ptp(found[3:6, 7:12]) == 0
    assert decode(distance > 0, flat, distance, replace(PLAIN, shape_weight=0, h=0.05)).max() == 3


def test_a_hole_is_filled():
    labels = np.zeros((9, 9), int)
    labels[1:8, 1:8] = 1
    hollow = labels.copy()
    hollow[4, 4] = 0
    targets = pixel_targets(labels)
    assert_array_equal(decode(hollow > 0, targets.classes == BOUNDARY, targets.distance, PLAIN), labels)


def ring(*objects):
    """Draw a ring of these objects, 3 pixels wide, around 20 x 20 pixels of background."""
    labels = np.zeros((28, 28), int)
    labels[1:27, 1:27] = objects[0]
    labels[14:27, 1:27] = objects[-1]
    labels[4:24, 4:24] = 0
    return labels


def test_background_that_several_objects_enclose_stays_background():
    labels = ring(1, 2)
    targets = pixel_targets(labels)
    found = decode(labels > 0, targets.classes == BOUNDARY, targets.distance, replace(PLAIN, max_radius=8))
    assert found.max() > 1
    assert_array_equal(found > 0, labels > 0)


def test_what_a_single_object_encloses_is_its_own():
    labels = ring(1)
    distance = np.where(labels, 0.5, 0).astype(np.float32)  # level: one seed
    found = decode(labels > 0, np.zeros_like(distance), distance, replace(PLAIN, max_radius=8, shape_weight=0, h=0.2))
    assert_array_equal(found[1:27, 1:27], 1)


def test_small_objects_are_dropped_and_the_rest_numbered_from_one():
    labels = np.zeros((12, 12), int)
    labels[1:3, 1:3], labels[5:11, 5:11] = 1, 2
    assert_array_equal(decode_labels(labels, replace(PLAIN, min_area=4)), labels)
    assert_array_equal(decode_labels(labels, replace(PLAIN, min_area=5)), labels == 2)


@pytest.mark.parametrize("value", [0.0, 0.5])
def test_empty_is_empty(value):
    flat = np.full((9, 9), value, np.float32)
    found = decode(flat, flat, flat, DecoderParameters())
    assert_array_equal(found, np.zeros((9, 9)))
    assert found.dtype == np.int32


def test_foreground_everywhere_is_one_object():
    ones = np.ones((9, 9), np.float32)
    assert_array_equal(decode(ones, 0 * ones, ones, DecoderParameters()), ones)
    assert_array_equal(decode(ones, ones, 0 * ones, DecoderParameters(boundary_weight=1)), ones)


def test_an_object_does_not_depend_on_what_lies_far_from_it():
    rng = np.random.default_rng(0)
    maps = rng.random((3, 40, 40)).astype(np.float32)
    alone, beside = np.zeros((3, 60, 160), np.float32), np.zeros((3, 60, 160), np.float32)
    alone[:, 10:50, 10:50] = beside[:, 10:50, 10:50] = maps
    rows, columns = np.ogrid[:60, :160]
    beside[0] += (rows - 30) ** 2 + (columns - 125) ** 2 < 24**2
    beside[2] += beside[0] * (columns > 80)
    parameters = DecoderParameters(smoothing=0.3, min_area=1)
    left = (decode(*each, parameters)[:, :60] for each in (alone, beside))
    first, second = (np.unique(each, return_inverse=True)[1] for each in left)
    assert first.max() > 10
    assert match(first + 1, second + 1, 1.0).fp == match(first + 1, second + 1, 1.0).fn == 0


def true_maps(labels):
    targets = pixel_targets(labels)
    probabilities = torch.from_numpy(np.stack([targets.classes == each for each in range(3)])).float()
    return PixelMaps(probabilities[None], torch.from_numpy(targets.distance)[None], torch.zeros(1, *labels.shape))


def middle(labels, side):
    top, left = ((length - min(length, side)) // 2 for length in labels.shape)
    return labels[top : top + side, left : left + side]


@pytest.mark.parametrize("stain", ["histology", "fluorescence"])
def test_true_maps_of_real_images_decode_to_their_objects(shared_data, stain):
    """The decoder's own oracle, its parameters tuned on the pool; the test images are only scored."""
    pool = sorted((shared_data / stain / "full-labels").iterdir())
    cut = {stem(path): middle(read_labels(path), 160) for path in pool[:: len(pool) // 8]}
    windows = [
        label_window(np.zeros((1, *labels.shape), np.float32), labels, (0, 0), name, name, 1)
        for name, labels in cut.items()
    ]
    decoder = tune_decoder(
        HeldOutMaps(windows, [true_maps(window.labels) for window in windows]), trials=40, decoders=14
    )
    total = ScoreSum()
    for path in sorted((shared_data / stain / "test" / "labels").iterdir()):
        labels = read_labels(path)
        total.add(labels, decode_maps(true_maps(labels), decoder))
    assert total.scores()["AP50"] >= 0.97, decoder
