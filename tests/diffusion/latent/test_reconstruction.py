import pytest
import torch
from diffusers.models.autoencoders.vae import DiagonalGaussianDistribution

from fewstain.diffusion.latent.reconstruction import gradient_loss, psnr, ssim, vae_loss
from fewstain.settings import VaeSettings

STANDARD = torch.zeros(1, 4, 3, 3)  # mean 0 and log variance 0 of two channels


def test_psnr_is_that_of_the_range_from_minus_1_to_1():
    assert psnr(torch.zeros(2, 1, 4, 4), torch.full((2, 1, 4, 4), 0.2)) == pytest.approx(20)


def test_an_image_is_like_itself_and_unlike_another():
    images, others = torch.rand((2, 2, 3, 16, 16), generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert ssim(images, images) == pytest.approx(1)
    assert abs(ssim(images, others)) < 0.2


def test_gradients_see_edges_and_no_brightness():
    image = torch.zeros(1, 1, 4, 4)
    assert float(gradient_loss(image, image + 0.5)) == 0
    edge = torch.tensor([0.0, 0.0, 1.0, 1.0]).expand(1, 1, 4, 4)
    # of three differences along a row one is 1, at full resolution; at half it is the only one
    assert float(gradient_loss(image, edge)) == pytest.approx((1 / 3 + 1) / 4)


@pytest.mark.parametrize(("weights", "expected"), [((0, 0), 0.5), ((1, 0), 0.5), ((0, 0.1), 0.5 + 0.1 * 0.25)])
def test_the_loss_is_the_sum_of_its_parts(weights, expected):
    moments = STANDARD.clone()
    moments[:, 0] = 1  # the mean of the first channel: a KL of 1/2 there, and 0 in the other
    settings = VaeSettings(gradient_weight=weights[0], kl_weight=weights[1])
    images = torch.zeros(1, 1, 12, 12)
    loss = vae_loss(images, images + 0.5, DiagonalGaussianDistribution(moments), settings)
    assert float(loss) == pytest.approx(expected)
