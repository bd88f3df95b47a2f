from math import log

import pytest
import torch

from fewstain.pairs.joint import JointPredictor, joint_held_out, joint_maps
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.proposals import HeldOutMaps


def maps(probabilities, distance, uncertainty=0.0):
    """The same at each of 2 × 2 pixels."""
    return PixelMaps(
        torch.tensor(probabilities)[None, :, None, None].expand(1, -1, 2, 2),
        torch.full((1, 2, 2), distance),
        torch.full((1, 2, 2), uncertainty),
    )


def at_a_pixel(found):
    assert (len(found.probabilities), found.distance.shape, found.uncertainty.shape) == (1, (1, 2, 2), (1, 2, 2))
    return found.probabilities[0, :, 1, 0].tolist(), found.distance[0, 1, 0].item(), found.uncertainty[0, 1, 0].item()


@pytest.mark.parametrize(
    ("ensemble", "segmenter", "mean", "apart"),
    [
        ([0.9, 0.1], [0.9, 0.1], [0.9, 0.1], 0.0),
        ([1.0, 0.0], [0.0, 1.0], [0.7, 0.3], -0.7 * log(0.7) - 0.3 * log(0.3)),
        (
            [0.9, 0.1],
            [0.5, 0.5],
            [0.78, 0.22],  # 0.7 * 0.9 + 0.3 * 0.5
            -0.78 * log(0.78) - 0.22 * log(0.22) + 0.7 * (0.9 * log(0.9) + 0.1 * log(0.1)) + 0.3 * log(0.5),
        ),
    ],
)
def test_maps_are_the_weighted_mean_and_uncertainty_is_the_divergence_of_all_members(ensemble, segmenter, mean, apart):
    # the entropy that a single network has for uncertainty is none of a divergence
    found = joint_maps(maps(ensemble, 0.2, uncertainty=0.25), maps(segmenter, 0.6, uncertainty=0.5))
    probabilities, distance, uncertainty = at_a_pixel(found)
    assert probabilities == pytest.approx(mean)
    assert distance == pytest.approx(0.32)  # 0.7 * 0.2 + 0.3 * 0.6
    assert uncertainty == pytest.approx(0.7 * 0.25 + apart, abs=1e-6)


class Constant:
    classes = 2

    def __init__(self, multiple, distance):
        self.multiple, self.distance = multiple, distance

    def __call__(self, images, origin, flips=False):
        return maps([0.5, 0.5], self.distance + 0.1 * flips + 0.01 * origin[1])


def test_one_batch_is_predicted():
    both = JointPredictor(Constant(4, 0.0), Constant(6, 0.5))
    assert (both.multiple, both.classes) == (12, 2)
    found = both(torch.zeros(1, 1, 2, 2), (0, 5), flips=True)
    assert at_a_pixel(found) == (pytest.approx([0.5, 0.5]), pytest.approx(0.3), 0)  # 0.7 * 0.15 + 0.3 * 0.65


def test_held_out_maps_of_windows_and_views_are_mixed():
    ensemble, segmenter = (
        HeldOutMaps(["a", "b"], [maps([0.5, 0.5], d), maps([0.5, 0.5], d + 0.1)], ["v", "w"], [maps([0.5, 0.5], d)] * 2)
        for d in (0.0, 0.5)
    )
    found = joint_held_out(ensemble, segmenter)
    assert (found.windows, found.views) == (["a", "b"], ["v", "w"])
    assert [at_a_pixel(each)[1] for each in found.maps] == pytest.approx([0.15, 0.25])
    assert [at_a_pixel(each)[1] for each in found.view_maps] == pytest.approx([0.15, 0.15])
