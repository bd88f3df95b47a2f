import pytest
import torch

from fewstain.diffusion.network import build_denoiser
from fewstain.pairs.segmenter import Segmenter, SegmenterPredictor
from fewstain.settings import DiffusionSettings


@pytest.fixture(scope="module")
def denoiser():
    torch.manual_seed(0)
    return build_denoiser(DiffusionSettings(channels=(8, 16), train_timesteps=500), 2).eval()


@pytest.fixture(scope="module")
def segmenter(denoiser):
    torch.manual_seed(1)
    return Segmenter(denoiser, 3)


def test_all_weights_but_the_last_layers_are_copies_of_the_denoisers(denoiser, segmenter):
    own, given = segmenter.unet.state_dict(), denoiser.unet.state_dict()
    assert own.keys() == given.keys()
    changed = {name for name in own if own[name].shape != given[name].shape or not torch.equal(own[name], given[name])}
    assert changed == {"conv_out.weight", "conv_out.bias"}
    with torch.no_grad():
        segmenter.unet.conv_in.weight.add_(1).sub_(1)
    assert own["conv_in.weight"].data_ptr() != given["conv_in.weight"].data_ptr()


def test_one_pass_gives_logits_of_classes_and_distance_at_every_pixel(segmenter):
    assert segmenter(torch.zeros(2, 2, 16, 24)).shape == (2, 4, 16, 24)
    assert segmenter.timestep == 10  # of 500


def test_images_of_any_size_are_padded_and_cut_again(segmenter):
    predict = SegmenterPredictor(segmenter)
    assert (predict.multiple, predict.classes) == (4, 3)
    found = predict(torch.rand(1, 2, 13, 18) * 2 - 1, (0, 0))
    assert found.probabilities.shape == (1, 3, 13, 18)
    assert found.distance.shape == found.uncertainty.shape == (1, 13, 18)
    torch.testing.assert_close(found.probabilities.sum(1), torch.ones(1, 13, 18))
    torch.testing.assert_close(found.uncertainty, torch.special.entr(found.probabilities).sum(1))


def test_in_bfloat16_the_maps_are_nearly_the_same_and_float32(segmenter):
    image = torch.rand(1, 2, 16, 16) * 2 - 1
    plain, half = (
        SegmenterPredictor(segmenter)(image, (0, 0)),
        SegmenterPredictor(segmenter, autocast=True)(image, (0, 0)),
    )
    for one, other in zip(vars(plain).values(), vars(half).values(), strict=True):
        assert other.dtype == torch.float32
        torch.testing.assert_close(one, other, atol=0.02, rtol=0)
    assert not torch.equal(plain.probabilities, half.probabilities)


def test_with_flips_an_image_and_its_mirror_image_are_mapped_alike(segmenter):
    predict, image = SegmenterPredictor(segmenter), torch.rand(1, 2, 16, 16) * 2 - 1
    once = predict(image, (0, 0), flips=True).probabilities
    mirrored = predict(image.flip(-1), (0, 0), flips=True).probabilities.flip(-1)
    torch.testing.assert_close(once, mirrored)
    assert not torch.allclose(once, predict(image, (0, 0)).probabilities)
