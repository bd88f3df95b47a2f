from dataclasses import asdict

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.testing import assert_array_equal

from fewstain.pixels.consensus import Consensus, agree, agreements
from fewstain.pixels.decode import DecoderParameters, decode

WHOLE = np.array([[1, 1, 1, 1, 0, 2, 2, 0]])
SPLIT = np.array([[1, 1, 2, 2, 0, 3, 3, 0]])
SHIFTED = np.array([[0, 1, 1, 1, 0, 2, 2, 0]])


def test_agreement_is_the_mean_iou_with_the_most_similar_objects():
    whole, split, shifted = agreements([WHOLE, SPLIT, SHIFTED])
    assert whole == pytest.approx([(1 + 2 / 4 + 3 / 4) / 3, 1])
    assert split == pytest.approx([(1 + 2 / 4 + 1 / 4) / 3, (1 + 2 / 4 + 2 / 3) / 3, 1])
    assert shifted == pytest.approx([(1 + 3 / 4 + 2 / 3) / 3, 1])


def test_the_object_most_agreed_on_is_taken_and_the_others_have_no_place():
    found = agree([WHOLE, SPLIT, SHIFTED], least_agreement=0.6)
    assert_array_equal(found.labels, [[0, 2, 2, 2, 0, 1, 1, 0]])
    assert found.agreement == pytest.approx([1, (1 + 3 / 4 + 2 / 3) / 3])


def test_an_object_that_only_one_finds_is_dropped():
    nothing = np.zeros_like(WHOLE)
    found = agree([WHOLE, nothing, nothing], least_agreement=0.6)
    assert not found.labels.any()
    assert found.agreement.shape == (0,)
    assert_array_equal(agree([WHOLE, nothing, nothing], least_agreement=0.3).labels, WHOLE)


def test_an_object_may_lose_some_pixels_to_a_better_one():
    # the second object of `wide` is as good as agreed on but for one pixel of five, which the first has
    narrow = np.array([[1, 1, 1, 0, 0, 0, 0]])
    wide = np.array([[1, 1, 2, 2, 2, 2, 2]])
    found = agree([narrow, narrow, wide], least_agreement=0.3)
    assert_array_equal(found.labels, [[1, 1, 1, 2, 2, 2, 2]])


@given(arrays(np.int32, (6, 7), elements=st.integers(0, 3)), st.integers(1, 4))
def test_segmentations_that_are_alike_are_kept(labels, n):
    names, compact = np.unique(labels, return_inverse=True)
    compact = (compact + (0 if names[0] == 0 else 1)).reshape(labels.shape).astype(np.int32)
    found = agree([compact] * n)
    assert_array_equal(found.labels, compact)
    assert_array_equal(found.agreement, np.ones(compact.max()))


def test_one_decoder_decodes_as_it_does_alone():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:40, :40]
    foreground = np.exp(-((y - 20) ** 2 + (x - 14) ** 2) / 90) + rng.uniform(0, 0.1, (40, 40))
    maps = foreground, 0 * foreground, foreground
    parameters = DecoderParameters()
    found = Consensus((parameters,)).decode([maps])
    alone = decode(*maps, parameters)
    assert alone.max() == 1
    assert_array_equal(found.labels, alone)
    # a threshold that nothing reaches finds nothing, and is outvoted
    strict = DecoderParameters(foreground_threshold=2)
    assert_array_equal(Consensus((parameters, parameters, strict)).decode([maps]).labels, alone)
    assert not Consensus((parameters, strict, strict)).decode([maps]).labels.any()


def test_a_consensus_is_read_as_written():
    consensus = Consensus((DecoderParameters(min_area=3, max_radius=5), DecoderParameters(min_area=2)), 0.5)
    assert Consensus.from_dict(asdict(consensus)) == consensus
    assert (consensus.min_area, consensus.max_radius) == (2, 20)
    with pytest.raises(ValueError, match="no decoders"):
        Consensus.from_dict({"decoders": [], "least_agreement": 0.5})
