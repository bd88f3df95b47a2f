import torch

from fewstain.pairs.joint import JointPredictor, joint_decoder, joint_maps
from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.tune import decode_maps


def maps(distance, uncertainty=0.0):
    return PixelMaps(
        torch.full((1, 3, 2, 2), 1 / 3), torch.full((1, 2, 2), distance), torch.full((1, 2, 2), uncertainty)
    )


class Constant:
    classes, sources = 3, 1

    def __init__(self, multiple, distance):
        self.multiple, self.distance = multiple, distance

    def __call__(self, images, origin, flips=False):
        return maps(self.distance + 0.1 * flips, 0.5)


def test_the_ensembles_maps_come_before_the_segmenters():
    both = JointPredictor(Constant(4, 0.0), Constant(6, 0.5))
    assert (both.multiple, both.classes, both.sources) == (12, 3, 2)
    found = both(torch.zeros(1, 1, 2, 2), (0, 0), flips=True)
    assert found.probabilities.shape == (2, 3, 2, 2)
    torch.testing.assert_close(found.distance[:, 0, 0], torch.tensor([0.1, 0.6]))
    # the entropy that a single network has for uncertainty is none of a divergence
    assert found.uncertainty[:, 0, 0].tolist() == [0.5, 0.0]


def test_each_models_decoders_decode_its_own_maps():
    foreground = torch.zeros(2, 12, 12)
    foreground[0, 2:8, 2:8] = 1  # the ensemble sees a square of 6, the segmenter nothing
    probabilities = torch.stack([1 - foreground, torch.zeros_like(foreground), foreground], dim=1)
    found = joint_maps(
        *(PixelMaps(probabilities[i : i + 1], foreground[i : i + 1], torch.zeros(1, 12, 12)) for i in (0, 1))
    )
    sees = (DecoderParameters(min_area=1),)
    decoder = joint_decoder(sees, sees)
    assert decoder.sources == (0, 1)
    assert not decode_maps(found, decoder).any()  # one voice of two
    two_to_one = joint_decoder(sees * 2, sees)
    assert two_to_one.sources == (0, 0, 1)
    assert (decode_maps(found, two_to_one) > 0).sum() == 36
