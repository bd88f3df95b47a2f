"""Gathering pairs whose scores are told in advance."""

import json
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.pairs.batches import make_batches, open_state
from fewstain.pairs.filters import Limits
from fewstain.pairs.gather import gather
from fewstain.pairs.generators import BatchedGenerator, Pair
from fewstain.pairs.scores import PairScores

POOL = SimpleNamespace(left_out=0, cut=0)


class Told(BatchedGenerator):
    """Makes black pairs with the scores given."""

    def __init__(self, scores):
        super().__init__(2)
        self.scores = scores

    def batch(self, numbers, seed):
        return [
            Pair(np.zeros((4, 4, 1), np.uint8), np.zeros((4, 4), np.int32), self.scores[number]) for number in numbers
        ]


@pytest.fixture
def gathered(tmp_path):
    """Give a function that gathers pairs of some scores."""

    def run(*scores, limits, **identity):
        identity = {"n": len(scores), "batch_size": 2, "kind": "layout", **identity}
        state = open_state(tmp_path / "state", identity, tmp_path / "out")
        make_batches(Told(scores), state, range(-(-len(scores) // 2)), len(scores), 0)
        return gather(state, tmp_path / "out", identity, limits, POOL)

    return run


def test_every_copy_is_counted_whatever_filter_dropped_it(gathered, tmp_path):
    good, copied = PairScores(3, 0.2, 1.0, copy=0.5), PairScores(3, 0.2, 1.0, copy=0.95)
    empty_and_copied, empty = PairScores(0, 0.0, 1.0, copy=0.95), PairScores(0, 0.0, 1.0)
    found = gathered(good, copied, empty_and_copied, empty, limits=Limits(copy=0.9))
    assert dict(found.dropped) == {"memorised copy": 1, "no objects": 2}
    assert found.memorised == json.loads((tmp_path / "out" / "pairs.json").read_text())["memorised"] == 2


@pytest.mark.parametrize(
    ("identity", "remedy"),
    [
        ({"kind": "layout"}, "look at the masks that layouts were learned from"),
        ({"kind": "layout", "layouts": "hash"}, "look at the label images that --layouts names"),
        ({"kind": "image"}, "label more windows and run fit-pixels again"),
        ({"kind": "edit"}, "look at the labels in the folder that --from names"),
    ],
)
def test_what_helps_depends_on_what_was_made_first(gathered, identity, remedy):
    with pytest.raises(UserError, match=remedy):
        gathered(PairScores(0, 0.0, 1.0), limits=Limits(), **identity)


TABLE = """\
pair,kept,why,objects,covered,plausible,agreement,uncertainty,distance,copy
pair-000000,yes,,3,0.25,1,0.75,0.0123457,1.5,0.5
pair-000001,no,memorised copy,3,0.25,1,0.75,0.125,1.5,0.95
pair-000002,yes,,2,0.125,0.875,,,,
pair-000003,no,no objects,0,0,1,,,,
"""


def test_the_table_tells_every_score_of_every_pair_and_some_dropped_ones_are_there(gathered, tmp_path, monkeypatch):
    monkeypatch.setattr("fewstain.pairs.gather.MOST_DROPPED", 1)
    good = PairScores(3, 0.25, 1.0, agreement=0.75, uncertainty=0.0123456789, distance=1.5, copy=0.5)
    copied = replace(good, uncertainty=0.125, copy=0.95)
    gathered(good, copied, PairScores(2, 0.125, 0.875), PairScores(0, 0.0, 1.0), limits=Limits(copy=0.9))
    out = tmp_path / "out"
    assert (out / "pairs.csv").read_bytes().decode() == TABLE
    for part in ("images", "labels"):
        assert sorted(path.name for path in (out / part).iterdir()) == ["pair-000000.tif", "pair-000002.tif"]
        assert [path.name for path in (out / "dropped" / part).iterdir()] == ["pair-000001.tif"]
