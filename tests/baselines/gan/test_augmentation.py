import pytest
import torch

from fewstain.baselines.gan.augmentation import IMAGES_TO_FULL, adapted, augment


def test_without_a_chance_nothing_changes():
    images = torch.rand(3, 2, 8, 8)
    torch.testing.assert_close(augment(images, 0.0, torch.Generator()), images, atol=1e-5, rtol=1e-4)


def test_what_is_sure_changes_every_image_and_gradients_pass():
    images = torch.rand(6, 1, 8, 8, requires_grad=True)
    changed = augment(images, 1.0, torch.Generator().manual_seed(0))
    assert ((changed - images).abs().amax((1, 2, 3)) > 0.01).all()
    changed.sum().backward()
    assert (images.grad.abs().sum((1, 2, 3)) > 0).all()
    again = augment(images, 1.0, torch.Generator().manual_seed(0))
    assert torch.equal(changed, again)


@pytest.mark.parametrize(
    ("chance", "scores", "expected"),
    [
        (0.5, [1.0, 1.0], 0.5 + 2 / IMAGES_TO_FULL),  # it knows every real image
        (0.5, [1.0, -1.0], 0.5 - 2 / IMAGES_TO_FULL),
        (0.0, [-1.0], 0.0),
        (1.0, [1.0], 1.0),
    ],
)
def test_the_chance_rises_while_real_images_are_known_too_well(chance, scores, expected):
    assert adapted(chance, torch.tensor(scores)) == pytest.approx(expected)
