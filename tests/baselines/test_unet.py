import numpy as np
import pytest
import torch

from fewstain.baselines.presets import UNET_PRESETS, UNetSettings
from fewstain.baselines.unet import UNetSegmenter, cosine_with_warmup
from fewstain.pixels.labeled_window import label_window
from fewstain.settings import Preset

SMALL = UNetSettings(features=(8, 8, 8, 8, 8, 8), crop=32, batch_size=2, window=32)


def disk():
    y, x = np.mgrid[:40, :40]
    labels = ((y - 20) ** 2 + (x - 18) ** 2 < 81).astype(np.int32)
    return np.where(labels > 0, 0.7, -0.7)[None].astype(np.float32), labels


def window(margin=2):
    image, labels = disk()
    labels = labels[margin:-margin, margin:-margin]
    return label_window(image, labels, (margin, margin), "a", "a", multiple=1)


def test_a_few_steps_find_a_bright_disk():
    image, labels = disk()
    unet = UNetSegmenter(steps=40, settings=SMALL.model_copy(update={"learning_rate": 1e-2})).fit([window()])
    maps = unet.predict(image)
    assert unet.steps_done == 40
    assert maps.probabilities.shape == (1, 3, 40, 40)
    assert ((maps.probabilities[0, 0].numpy() < 0.5) == (labels > 0)).mean() > 0.9


def test_a_bar_shows_how_much_of_the_training_is_done(capsys):
    UNetSegmenter(steps=1, settings=SMALL).fit([window()])
    assert "training U-Net, per cent: 100/100" in capsys.readouterr().err


def test_equal_seeds_give_equal_maps():
    image, _ = disk()
    first, second = (UNetSegmenter(steps=2, settings=SMALL).fit([window()]).predict(image) for _ in range(2))
    assert torch.equal(first.probabilities, second.probabilities)


def test_predicts_images_smaller_than_its_window_and_of_odd_size():
    image, _ = disk()
    unet = UNetSegmenter(steps=1, settings=SMALL).fit([window()])
    assert unet.predict(image[:, :17, :37]).distance.shape == (1, 17, 37)


def test_a_time_budget_ends_training():
    assert UNetSegmenter(seconds=0.2, settings=SMALL).fit([window()]).steps_done >= 1


@pytest.mark.parametrize("budget", [{}, {"steps": 1, "seconds": 1}])
def test_needs_one_budget(budget):
    with pytest.raises(ValueError, match="either steps or seconds"):
        UNetSegmenter(**budget).fit([window()])


def test_the_network_is_as_wide_as_its_preset_says():
    quick = {"crop": 32, "batch_size": 1}
    sizes = {
        preset: UNetSegmenter(steps=1, settings=settings.model_copy(update=quick)).fit([window()]).parameters
        for preset, settings in UNET_PRESETS.items()
    }
    assert sizes[Preset.demo] == sizes[Preset.cpu] < 1.1e6
    assert sizes[Preset.gpu] > 7e6


def test_the_learning_rate_rises_and_falls_to_zero():
    values = [cosine_with_warmup(progress) for progress in (0, 0.05, 0.5, 1)]
    assert values[0] < 0.05
    assert values[1] == pytest.approx(1)
    assert 0 < values[2] < 1
    assert values[3] == pytest.approx(0)
