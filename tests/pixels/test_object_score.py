from dataclasses import asdict

import numpy as np
import pytest

from fewstain.pixels import object_score
from fewstain.pixels.object_score import (
    FEATURES,
    LEAST_OF_EACH,
    SHAPE_AND_MAPS,
    Describer,
    ObjectScore,
    describe_objects,
    learn_score,
)

DISC_AND_BAR = np.zeros((30, 40), np.int32)
Y, X = np.mgrid[:30, :40]
DISC_AND_BAR[(Y - 14) ** 2 + (X - 12) ** 2 <= 8**2] = 1
DISC_AND_BAR[4:26, 30:34] = 2


def described(maps):
    return [dict(zip(SHAPE_AND_MAPS, row, strict=True)) for row in describe_objects(DISC_AND_BAR, maps)]


def test_objects_are_described_by_shape_and_maps():
    foreground = np.where(DISC_AND_BAR == 1, 0.9, 0.6)
    boundary = np.where(DISC_AND_BAR == 2, 0.2, 0.0)
    boundary[4:26, [30, 33]] = 0.8  # the long sides of the bar
    distance = np.where((Y == 14) & (X == 12), 1.0, 0.0)
    disc, bar = described((foreground, boundary, distance))
    assert bar["log area"] == pytest.approx(np.log(4 * 22))
    assert bar["solidity"] == 1 > disc["solidity"] > 0.9
    assert disc["eccentricity"] < 0.1 < 0.9 < bar["eccentricity"]
    assert disc["circularity"] > 0.9 > bar["circularity"]
    assert (disc["foreground"], bar["foreground in its core"]) == pytest.approx((0.9, 0.6))
    assert bar["boundary in its core"] == pytest.approx(0.2)
    assert bar["boundary at its rim"] == pytest.approx((2 * 22 * 0.8 + 4 * 0.2) / 48)
    assert (disc["highest distance"], bar["highest distance"]) == (1, 0)
    assert disc["distance"] == pytest.approx(1 / (DISC_AND_BAR == 1).sum())


def test_a_single_pixel_and_no_object_can_be_described():
    speck = np.zeros((5, 5), np.int32)
    speck[2, 2] = 1
    flat = np.ones((5, 5))
    assert np.isfinite(describe_objects(speck, (flat, flat, flat))).all()
    assert describe_objects(0 * speck, (flat, flat, flat)).shape == (0, len(SHAPE_AND_MAPS))


def test_an_object_is_described_alike_alone_and_beside_others():
    rng = np.random.default_rng(0)
    maps = tuple(rng.random((3, 30, 40)))
    surrounded = np.where(DISC_AND_BAR == 0, 3, DISC_AND_BAR)
    alone, (disc, bar, _) = describe_objects(DISC_AND_BAR, maps), describe_objects(surrounded, maps)
    np.testing.assert_allclose([disc, bar], alone)


def test_what_several_segmentations_share_is_described_once(monkeypatch):
    rng = np.random.default_rng(0)
    maps = tuple(rng.random((3, 30, 40)))
    bar_and_speck = np.where(DISC_AND_BAR == 2, 1, 0).astype(np.int32)
    bar_and_speck[2:4, 2:4] = 2
    expected = [describe_objects(labels, maps) for labels in (DISC_AND_BAR, bar_and_speck)]
    asked = []
    monkeypatch.setattr(
        object_score,
        "describe_objects",
        lambda labels, maps: asked.append(labels.max()) or describe_objects(labels, maps),
    )
    describe = Describer(maps)
    found = [describe(labels) for labels in (DISC_AND_BAR, bar_and_speck, DISC_AND_BAR, 0 * DISC_AND_BAR)]
    assert asked == [2, 1]
    for each, wanted in zip(found, [*expected, expected[0], np.zeros((0, len(SHAPE_AND_MAPS)))], strict=True):
        np.testing.assert_allclose(each, wanted)


def test_the_learned_chances_are_those_of_what_was_seen():
    rng = np.random.default_rng(0)
    seen = rng.normal(size=(2000, len(FEATURES)))
    seen[:, 3] = 7.0  # the same everywhere, tells nothing
    chance = 1 / (1 + np.exp(-(1.5 * seen[:, 0] - seen[:, 2])))
    score = learn_score(seen, rng.random(2000) < chance)
    assert np.abs(score(seen) - chance).mean() < 0.03
    assert ObjectScore.from_dict(asdict(score)) == score


@pytest.mark.parametrize("right", [0, LEAST_OF_EACH - 1, 101 - LEAST_OF_EACH, 100])
def test_nothing_is_learned_from_too_few_of_a_kind(right):
    assert learn_score(np.zeros((100, len(FEATURES))), np.arange(100) < right) is None


def test_a_score_of_other_features_is_refused():
    with pytest.raises(ValueError, match="not a score of these features"):
        ObjectScore.from_dict({"mean": [0.0], "scale": [1.0], "weights": [1.0], "bias": 0})
