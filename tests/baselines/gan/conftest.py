import pytest
import torch

from fewstain.baselines.gan.training import Gan, GanSettings

TINY = GanSettings(crop=32, widths=(8, 8, 8, 8), width=6, batch_size=4, steps=3, warmup_steps=1, checkpoint_seconds=0)


@pytest.fixture
def noisy_gan(gan):
    """The same, with noise that shows, as a trained generator's does."""
    for block in (*gan.generator.first, *gan.generator.second):
        torch.nn.init.constant_(block.noise_strength, 0.3)
    return gan


@pytest.fixture
def gan():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Gan(TINY, 1)
