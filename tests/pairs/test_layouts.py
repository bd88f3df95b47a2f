import numpy as np
import pytest
import torch

from fewstain.errors import UserError
from fewstain.pairs.layouts import LayoutFacts, decode_planes, layout_facts, learned_planes, upsampled
from fewstain.pairs.scores import panoptic_quality

from .painted_discs import discs_of


def test_facts_by_hand():
    labels = np.zeros((8, 8), np.int32)
    labels[1:3, 1:3], labels[4:7, 4:7], labels[0, 7] = 1, 2, 3  # the last is cut by the edge
    facts = layout_facts([labels, np.zeros((4, 4), np.int32)])
    assert facts.objects == 3
    assert facts.smallest == pytest.approx(4 + 0.01 * 5)
    assert facts.largest == pytest.approx(9 - 0.01 * 5)
    assert facts.covered == pytest.approx(14 / 64 / 2)
    assert facts.most_covered == pytest.approx(14 / 64)


def test_masks_without_an_object_are_told():
    with pytest.raises(UserError, match="no objects in any of the masks"):
        layout_facts([np.zeros((4, 4), np.int32)])


def test_planes_that_are_learned_are_means_of_blocks():
    labels = np.zeros((4, 5), np.int32)
    labels[0:2, 0:3] = 1
    planes = learned_planes(labels)
    assert planes.shape == (3, 2, 2)  # the fifth column is left out
    np.testing.assert_array_equal(planes[0], [[1, 0], [-1, -1]])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_learned_decodes_to_the_layout_again(seed):
    """The oracle: perfect planes, at half the resolution, must give touching discs back."""
    labels = discs_of(np.random.default_rng(seed), n=6, side=64).astype(np.int32)
    facts = layout_facts([labels])
    planes = torch.from_numpy(learned_planes(labels))
    full = upsampled(planes[None], labels.shape, facts.smoothing)[0]
    assert panoptic_quality(labels, decode_planes(full, facts.decoder)) > 0.75


def test_objects_decoded_are_in_one_piece_and_not_too_small():
    planes = -torch.ones(3, 16, 16)
    planes[[0, 2], 2:6, 2:6] = 1
    planes[[0, 2], 6:10, 6:10] = 1  # touches the first by a corner
    planes[[0, 2], 14, 14] = 1
    facts = LayoutFacts(smallest=4, largest=30, radius=3, covered=0.1, most_covered=0.2, objects=2)
    labels = decode_planes(planes, facts.decoder)
    assert sorted(np.bincount(labels.ravel())[1:]) == [16, 16]


def test_large_labels_are_measured_as_small_ones():
    small = np.zeros((12, 12), np.int32)
    small[2:5, 2:6], small[7:10, 5:9] = 1, 2
    assert layout_facts([np.array([0, 2**31 - 2, 2**31 - 1], np.int32)[small]]) == layout_facts([small])
