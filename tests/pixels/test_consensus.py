import json
from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from fewstain.pixels.consensus import Consensus, agreements, likeliest
from fewstain.pixels.decode import DecoderParameters, decode
from fewstain.pixels.object_score import FEATURES, ObjectScore

WHOLE = np.array([[1, 1, 1, 1, 0, 2, 2, 0]])
SPLIT = np.array([[1, 1, 2, 2, 0, 3, 3, 0]])
SHIFTED = np.array([[0, 1, 1, 1, 0, 2, 2, 0]])


def test_agreement_is_the_mean_iou_with_the_most_similar_objects():
    whole, split, shifted = agreements([WHOLE, SPLIT, SHIFTED])
    assert whole == pytest.approx([(1 + 2 / 4 + 3 / 4) / 3, 1])
    assert split == pytest.approx([(1 + 2 / 4 + 1 / 4) / 3, (1 + 2 / 4 + 2 / 3) / 3, 1])
    assert shifted == pytest.approx([(1 + 3 / 4 + 2 / 3) / 3, 1])


def test_the_most_confident_object_is_taken_and_the_others_have_no_place():
    found = likeliest([WHOLE, SPLIT, SHIFTED], [[0.7, 0.5], [0.8, 0.9, 0.5], [0.6, 0.6]], least=0.5)
    assert_array_equal(found.labels, [[2, 2, 1, 1, 0, 3, 3, 0]])
    assert_array_equal(found.confidence, [0.9, 0.8, 0.6])


def test_an_object_of_little_confidence_is_dropped():
    found = likeliest([WHOLE], [[0.3, 0.4]], least=0.4)
    assert_array_equal(found.labels, [[0, 0, 0, 0, 0, 1, 1, 0]])
    nothing = likeliest([WHOLE], [[0.3, 0.4]], least=0.5)
    assert not nothing.labels.any()
    assert nothing.confidence.shape == (0,)


def test_an_object_may_lose_some_pixels_to_a_better_one():
    # one pixel of the five of the second object of `wide` belongs to the first
    narrow = np.array([[1, 1, 1, 0, 0, 0, 0]])
    wide = np.array([[1, 1, 2, 2, 2, 2, 2]])
    found = likeliest([narrow, wide], [[0.9], [0.3, 0.8]], least=0.5)
    assert_array_equal(found.labels, [[1, 1, 1, 2, 2, 2, 2]])


def test_of_an_object_that_a_better_one_crosses_the_largest_piece_is_kept():
    upright, lying = np.zeros((2, 7, 12), int)
    upright[:, 4:6] = 1
    lying[2:5] = 1
    found = likeliest([upright, lying], [[0.9], [0.8]], least=0.5)
    assert_array_equal(found.labels == 1, upright == 1)
    assert np.argwhere(found.labels == 2)[:, 1].min() == 6  # not the four columns on the left
    assert np.count_nonzero(found.labels == 2) == 3 * 6


@given(arrays(np.int32, (6, 7), elements=st.integers(0, 3)), st.integers(1, 4))
def test_segmentations_that_are_alike_are_kept(labels, n):
    names, compact = np.unique(labels, return_inverse=True)
    compact = (compact + (0 if names[0] == 0 else 1)).reshape(labels.shape).astype(np.int32)
    found = likeliest([compact] * n, agreements([compact] * n), least=0.6)
    assert_array_equal(found.labels, compact)
    assert_array_equal(found.confidence, np.ones(compact.max()))


def test_one_decoder_decodes_as_it_does_alone():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40]
    foreground = np.exp(-((y - 20) ** 2 + (x - 14) ** 2) / 90) + rng.uniform(0, 0.1, (40, 40))
    maps = foreground, 0 * foreground, foreground
    parameters = DecoderParameters()
    found = Consensus((parameters,)).decode(maps)
    alone = decode(*maps, parameters)
    assert alone.max() == 1
    assert_array_equal(found.labels, alone)
    # a threshold that nothing reaches finds nothing, and is outvoted
    strict = DecoderParameters(foreground_threshold=2)
    assert_array_equal(Consensus((parameters, parameters, strict)).decode(maps).labels, alone)
    assert not Consensus((parameters, strict, strict)).decode(maps).labels.any()


def test_each_decoder_proposes_in_its_place():
    """By decoders whose thresholds take turns."""
    disc = 0.5 * (np.hypot(*(np.mgrid[:20, :20] - 10)) < 6)
    low, high = (DecoderParameters(foreground_threshold=threshold) for threshold in (0.4, 0.6))
    proposed = Consensus((high, low, high, low)).propose((disc, 0 * disc, disc))
    assert [int(labels.max()) for labels in proposed] == [0, 1, 0, 1]


def test_with_a_score_the_likelier_of_two_overlapping_objects_is_taken():
    """Two discs that touch: one parameter set leaves them together, the other takes them apart."""
    y, x = np.mgrid[:40, :60]
    discs = [(y - 20) ** 2 + (x - centre) ** 2 for centre in (20, 38)]
    foreground = (np.minimum(*discs) < 10**2).astype(float)
    distance = np.clip(1 - np.sqrt(np.minimum(*discs)) / 10, 0, 1)
    maps = foreground, 0 * foreground, distance
    together, apart = DecoderParameters(h=1.0, shape_weight=0), DecoderParameters(h=0.05, shape_weight=0)
    n = len(FEATURES)

    def found(solidity_weight):
        weights = [solidity_weight if name == "solidity" else 0.0 for name in FEATURES]
        score = ObjectScore((0.95,) * n, (0.02,) * n, tuple(weights), 0.0)
        return Consensus((together, apart), score).decode(maps)

    assert found(-1.0).labels.max() == 1
    assert found(1.0).labels.max() == 2
    assert (found(1.0).confidence > 0.5).all()


def test_an_object_less_likely_than_the_least_chance_is_dropped():
    """A disc whose chance is 1 / (1 + e) = 0.27, whatever it looks like."""
    disc = 1.0 * (np.hypot(*(np.mgrid[:20, :20] - 10)) < 6)
    n = len(FEATURES)
    score = ObjectScore((0.0,) * n, (1.0,) * n, (0.0,) * n, -1.0)
    kept = [
        Consensus((DecoderParameters(),), score, least).decode((disc, 0 * disc, disc)).confidence
        for least in (0.2, 0.3)
    ]
    assert kept[0] == pytest.approx([1 / (1 + np.e)])
    assert kept[1].shape == (0,)


def test_a_consensus_is_read_as_written():
    n = len(FEATURES)
    score = ObjectScore((0.5,) * n, (2.0,) * n, tuple(float(each) for each in range(n)), -1.5)
    consensus = Consensus((DecoderParameters(min_area=3, max_radius=5), DecoderParameters(min_area=2)), score, 0.2)
    assert Consensus.from_dict(json.loads(json.dumps(asdict(consensus)))) == consensus
    assert Consensus.from_dict(asdict(Consensus(consensus.decoders))) == Consensus(consensus.decoders)
    as_earlier_versions_wrote_it = {"decoders": asdict(consensus)["decoders"], "sources": [], "score": asdict(score)}
    assert Consensus.from_dict(as_earlier_versions_wrote_it) == Consensus(consensus.decoders, score, 0.3)
    assert (consensus.min_area, consensus.max_radius) == (2, 20)
    with pytest.raises(ValueError, match="of two models' maps"):
        Consensus.from_dict(asdict(consensus) | {"sources": [0, 1]})
    with pytest.raises(ValueError, match="no decoders"):
        Consensus.from_dict({"decoders": [], "score": None})
    with pytest.raises(ValueError, match="not a score of these features"):
        Consensus.from_dict(asdict(consensus) | {"score": asdict(score) | {"weights": [1.0]}})
