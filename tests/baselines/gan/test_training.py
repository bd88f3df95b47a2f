import numpy as np
import pytest
import torch
from torch.nn import functional

from fewstain.baselines.gan.augmentation import augment
from fewstain.baselines.gan.training import MIXING, Gan, GanSettings, gan_loss, load_gan, train_gan
from fewstain.dataset import open_dataset
from fewstain.errors import UserError
from fewstain.images.write import write_image

from .conftest import TINY


def test_each_loss_reaches_its_own_network_only(gan):
    real = torch.rand(4, 1, 32, 32)
    gan_loss(gan, real, torch.Generator().manual_seed(1), regularise=True).backward()
    together = {name: each.grad.clone() for name, each in gan.named_parameters() if each.grad is not None}
    gan.zero_grad()
    with torch.no_grad():
        gan.augmentation.zero_()
    generator = torch.Generator().manual_seed(1)
    fake, _ = gan.generator(gan.draw(4, generator, MIXING), generator)
    functional.softplus(-gan.discriminator(augment(fake, 0.0, generator))).mean().backward()
    for name, each in gan.generator.named_parameters():
        torch.testing.assert_close(together[f"generator.{name}"], each.grad)
    assert all(f"discriminator.{name}" in together for name, _ in gan.discriminator.named_parameters())
    assert all(f"encoder.{name}" in together for name, _ in gan.encoder.named_parameters())
    # the generator's own loss would push the discriminator the other way
    assert not torch.allclose(together["discriminator.score.weight"], gan.discriminator.score.weight.grad)


def test_mixed_latents_are_of_two_and_others_of_one(gan):
    alike = gan.draw(5, torch.Generator().manual_seed(0))
    assert torch.equal(alike, alike[:, :1].expand_as(alike))
    mixed = gan.draw(5, torch.Generator().manual_seed(0), mixing=1.0)
    assert torch.equal(mixed[:, 0], alike[:, 0])
    assert all(len(torch.unique(each, dim=0)) == 2 for each in mixed)


def test_a_training_is_resumed_to_the_same_weights(tmp_path, monkeypatch):
    write_image(tmp_path / "data" / "images" / "a.tif", np.random.default_rng(0).integers(0, 255, (40, 40), np.uint8))
    dataset = open_dataset(tmp_path / "data")
    train_gan(dataset, tmp_path / "whole", tmp_path / "state", TINY, seed=1)
    real, calls = Gan.draw, []

    def killed(self, *arguments, **more):
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("killed")
        return real(self, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(Gan, "draw", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train_gan(dataset, tmp_path / "resumed", tmp_path / "other-state", TINY, seed=1)
    train_gan(dataset, tmp_path / "resumed", tmp_path / "other-state", TINY, seed=1)
    first, second = (load_gan(tmp_path / name).state_dict() for name in ("whole", "resumed"))
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert (tmp_path / "whole" / "samples.png").is_file()


def test_a_crop_that_the_widths_do_not_paint_is_refused(tmp_path):
    with pytest.raises(UserError, match="4 widths paint images of 32 pixels"):
        train_gan(None, tmp_path, tmp_path, GanSettings(crop=64, widths=(8, 8, 8, 8)))
