import numpy as np
import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler

from fewstain.diffusion.objective import prediction_loss

CLEAN = torch.linspace(-1, 1, 4 * 1 * 8 * 8).reshape(4, 1, 8, 8)
SCHEDULER = DDPMScheduler(num_train_timesteps=50)


def loss_of(predict, seed=0):
    return prediction_loss(predict, SCHEDULER, CLEAN, 0.0, Accelerator(cpu=True), np.random.default_rng(seed))


def knows_the_image(noised, timesteps):
    alphas = SCHEDULER.alphas_cumprod[timesteps][:, None, None, None]
    return (noised - alphas.sqrt() * CLEAN) / (1 - alphas).sqrt()


def test_who_knows_the_image_has_no_loss_and_who_says_nothing_that_of_the_noise():
    torch.testing.assert_close(loss_of(knows_the_image), torch.tensor(0.0), atol=1e-6, rtol=0)
    assert 0.7 < float(loss_of(lambda noised, timesteps: torch.zeros_like(noised))) < 1.3


def test_all_chance_comes_from_the_generator():
    seen = []

    def predict(noised, timesteps):
        seen.append((noised, timesteps))
        return noised

    for seed in (3, 3, 4):
        loss_of(predict, seed)
    assert torch.equal(seen[0][0], seen[1][0])
    assert not torch.equal(seen[0][0], seen[2][0])
