"""A small dataset, settings for tiny networks, and trainings in processes of their own, to be killed."""

import multiprocessing
import sys
import time

import numpy as np
import pytest
import tifffile
from scipy.ndimage import gaussian_filter

from fewstain.dataset import Dataset, open_dataset
from fewstain.diffusion.latent.training import train_latent_diffusion
from fewstain.diffusion.latent.vae_training import train_vae
from fewstain.settings import DiffusionSettings, VaeSettings

VAE = VaeSettings(
    channels=(16, 16), crop=32, batch_size=2, steps=12, warmup_steps=2, checkpoint_seconds=0, latent_channels=3
)
DIFFUSION = DiffusionSettings(
    unshuffle=1,
    channels=(16, 16),
    crop=32,
    batch_size=2,
    steps=12,
    warmup_steps=2,
    checkpoint_seconds=0,
    prediction="v_prediction",
    samples=3,
    sample_steps=2,
)
PROCESSES = multiprocessing.get_context("forkserver" if sys.platform == "linux" else "spawn")
PROCESSES.set_forkserver_preload(["fewstain.diffusion.latent.training"])


@pytest.fixture(autouse=True)
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # of the server and its children; read when torch is loaded


@pytest.fixture(scope="session")
def vae_settings():
    return VAE


@pytest.fixture(scope="session")
def latent_settings():
    return DIFFUSION


@pytest.fixture(scope="session")
def make_dataset():
    """Give a dataset of two images of smooth random fields, of different contrast in each channel."""

    def make(folder, channels=1, sizes=((60, 50), (40, 72))) -> Dataset:
        images = folder / "images"
        images.mkdir(parents=True)
        random = np.random.default_rng(0)
        for number, size in enumerate(sizes):
            field = np.stack([gaussian_filter(random.random(size), 2) for _ in range(channels)], axis=-1)
            pixels = ((field - 0.4) * 300_000).clip(0, 65535).astype(np.uint16)
            tifffile.imwrite(images / f"{number}.tif", pixels if channels > 1 else pixels[..., 0], photometric=None)
        return open_dataset(folder)

    return make


@pytest.fixture(scope="session")
def trained(make_dataset, tmp_path_factory):
    """Folder with a dataset of one channel, data, a VAE of it, vae, and a denoiser of its latents, latent."""
    folder = tmp_path_factory.mktemp("trained")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_MIXED_PRECISION", "no")
        dataset = make_dataset(folder / "data")
        train_vae(dataset, folder / "vae", folder / "vae-state", VAE)
        train_latent_diffusion(dataset, folder / "vae", folder / "latent", folder / "state", DIFFUSION)
    return folder


@pytest.fixture
def in_a_process():
    """Give a function that runs a training in a process of its own, on as many threads as `killed_twice`.

    The number of threads decides the order of sums, and with it the last bit.
    """

    def run(target, arguments):
        process = PROCESSES.Process(target=target, args=arguments)
        process.start()
        process.join()
        assert process.exitcode == 0

    return run


@pytest.fixture
def killed_twice(in_a_process):
    """Give a function that runs a training in a process of its own, with SIGKILL soon after it saved a state, twice."""

    def run(target, arguments, state):
        for wait in (0.0, 0.03):
            process = PROCESSES.Process(target=target, args=arguments)
            process.start()
            before = state.stat().st_mtime_ns if state.exists() else None
            while process.is_alive() and (not state.exists() or state.stat().st_mtime_ns == before):
                time.sleep(0.001)
            process.join(wait)
            process.kill()
            process.join()
        in_a_process(target, arguments)

    return run
