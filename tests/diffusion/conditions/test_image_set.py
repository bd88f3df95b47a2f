import torch

from fewstain.diffusion.conditions.image_set import SetEncoder


def encoder():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return SetEncoder(2, 48, 16).eval()


@torch.no_grad()
def test_every_patch_of_every_image_is_a_token():
    images = torch.randn(2, 5, 2, 48, 48)
    assert encoder()(images).shape == (2, 5 * 9, 16)
    assert encoder().nothing().shape == (1, 9, 16)


@torch.no_grad()
def test_each_image_has_tokens_of_its_own_wherever_it_stands():
    images = torch.randn(1, 3, 2, 48, 48)
    forwards, backwards = (encoder()(order).unflatten(1, (3, 9)) for order in (images, images.flip(1)))
    torch.testing.assert_close(backwards, forwards.flip(1))
    assert not torch.allclose(forwards[0, 0], forwards[0, 1], atol=0.1)
