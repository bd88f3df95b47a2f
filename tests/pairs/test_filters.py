import dataclasses

import pytest

from fewstain.errors import UserError
from fewstain.pair_settings import PairKind
from fewstain.pairs.filters import Limits, check_some_kept, choose
from fewstain.pairs.scores import PairScores

GOOD = PairScores(objects=3, covered=0.2, plausible=1.0, agreement=0.8, uncertainty=0.1, distance=1.0, copy=0.5)
LIMITS = Limits(plausible=0.8, covered=0.5, copy=0.9, distance=3.0, agreement=0.5)


def but(**changes):
    return dataclasses.replace(GOOD, **changes)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, ""),
        ({"objects": 0}, "no objects"),
        ({"plausible": 0.7}, "implausible objects"),
        ({"covered": 0.6}, "covered"),
        ({"copy": 0.95}, "memorised copy"),
        ({"distance": 3.1}, "unlike the pool"),
        ({"agreement": 0.4}, "layout agreement"),
        ({"agreement": None, "distance": None, "copy": None, "uncertainty": None}, ""),
    ],
)
def test_each_filter_says_that_it_was_the_one(changes, why):
    assert choose([but(**changes)], LIMITS) == [why]


def test_a_score_at_the_limit_passes():
    assert choose([but(plausible=0.8, covered=0.5, copy=0.9, distance=3.0, agreement=0.5)], LIMITS) == [""]


@pytest.mark.parametrize(("n", "kept"), [(1, 1), (2, 1), (5, 3)])
def test_the_least_uncertain_half_is_kept_however_few_there_are(n, kept):
    scores = [but(uncertainty=float(n - number)) for number in range(n)]  # the last is the most certain
    why = choose(scores, dataclasses.replace(LIMITS, keep=0.5))
    assert why == ["uncertainty"] * (n - kept) + [""] * kept


def test_the_share_is_of_those_that_other_filters_leave():
    scores = [but(objects=0, uncertainty=0.0), but(uncertainty=0.3), but(uncertainty=0.2)]
    assert choose(scores, dataclasses.replace(LIMITS, keep=0.5)) == ["no objects", "uncertainty", ""]


def test_of_equally_uncertain_ones_the_first_are_kept():
    assert choose([GOOD, GOOD], dataclasses.replace(LIMITS, keep=0.5)) == ["", "uncertainty"]


def test_none_kept_is_told_with_the_filters_that_dropped_them():
    scores = [but(agreement=0.1), but(agreement=0.3), but(objects=0)]
    why = choose(scores, LIMITS)
    told = r"none of 3 pairs.*2 by layout agreement, 1 by no objects.*best agreement of these is 0\.30.*allowed 0\.50"
    with pytest.raises(UserError, match=told):
        check_some_kept(why, scores, LIMITS, PairKind.layout)
    check_some_kept(["", "uncertainty"], [GOOD, GOOD], LIMITS, PairKind.layout)


@pytest.mark.parametrize(
    "fault", [{"objects": 0}, {"plausible": 0.1}, {"covered": 0.9}, {"copy": 1}, {"distance": 9.0}]
)
def test_images_that_came_first_are_told_of_neither_layouts_nor_agreement(fault):
    scores = [but(**fault)]
    with pytest.raises(UserError) as told:
        check_some_kept(choose(scores, LIMITS), scores, LIMITS, PairKind.image)
    assert not [word for word in ("layout", "agreement", "painter", "crowding") if word in str(told.value)]


@pytest.mark.parametrize("kind", PairKind)
@pytest.mark.parametrize("fault", [{"objects": 0}, {"plausible": 0.1}, {"copy": 1}, {"distance": 9.0}])
def test_there_is_a_remedy_for_whatever_drops_all(kind, fault):
    scores = [but(**fault)]
    with pytest.raises(UserError, match=r"none of 1 pairs is kept: 1 by .*; .+"):
        check_some_kept(choose(scores, LIMITS), scores, LIMITS, kind)


@pytest.mark.parametrize("kind", PairKind)
@pytest.mark.parametrize("fault", [{"objects": 0}, {"plausible": 0.1}, {"copy": 1}, {"distance": 9.0}])
def test_agreement_is_told_only_where_it_dropped_a_pair(kind, fault):
    scores = [but(**fault), but(**fault, agreement=0.1)]
    with pytest.raises(UserError) as told:
        check_some_kept(choose(scores, LIMITS), scores, LIMITS, kind)
    assert "agreement" not in str(told.value)


@pytest.mark.parametrize(
    ("kind", "fault", "remedy"),
    [
        (PairKind.layout, {"copy": 1}, "train on more images"),
        (PairKind.layout, {"covered": 0.9}, "ask for less crowding, or train the layouts longer"),
        (PairKind.layout, {"agreement": 0.1}, "train the painter longer, or allow less with --min-agreement"),
        (PairKind.image, {"copy": 1}, "train on more images"),
        (PairKind.image, {"distance": 9.0}, "train longer, or allow more with --max-distance"),
        (PairKind.edit, {"copy": 1}, "raise --strength"),
        (PairKind.edit, {"distance": 9.0}, "raise --strength, or allow more with --max-distance"),
        (PairKind.edit, {"agreement": 0.1}, "lower --strength, or allow less with --min-agreement"),
    ],
)
def test_what_helps_fits_what_was_made_first(kind, fault, remedy):
    scores = [but(**fault)]
    with pytest.raises(UserError) as told:
        check_some_kept(choose(scores, LIMITS), scores, LIMITS, kind)
    assert str(told.value).endswith(f"; {remedy}")
