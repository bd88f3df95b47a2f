import os
import signal
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import settings

# else each training takes what is faster at that moment, and two that must agree may differ
os.environ["ACCELERATE_MIXED_PRECISION"] = "no"

settings.register_profile("any machine", deadline=None)  # a busy machine is no defect
settings.load_profile("any machine")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard():
    """Undo what a shell does to commands it runs in the background: they, and their children, ignore Ctrl-C."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real benchmark stains beside the repository; tests of them are skipped where they are absent."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("../shared/data is absent")
    return folder


@pytest.fixture(scope="session")
def make_denoiser(tmp_path_factory) -> Callable[..., Path]:
    """Give a function that makes the folder of an untrained denoiser, whose weights are always the same."""
    import torch

    from fewstain.diffusion.network import build_denoiser
    from fewstain.diffusion.record import DenoiserRecord
    from fewstain.images.normalise import Normaliser

    def make(settings, channels=1, dtype="uint8", floor=None) -> Path:
        folder = tmp_path_factory.mktemp("diffusion")
        with torch.random.fork_rng():
            torch.manual_seed(0)
            build_denoiser(settings, channels).save(folder)
        DenoiserRecord(
            normaliser=Normaliser() if floor is None else Normaliser(floor=(floor,) * channels),
            channels=tuple(range(channels)),
            image_channels=channels,
            dtype=dtype,
            pool=(),
            settings=settings.model_dump(mode="json"),
            seed=0,
            steps=1,
            wall_seconds=0.0,
            images_per_second=0.0,
            peak_memory_bytes=0,
            device="cpu",
            precision="no",
            version="0",
            file_channels=channels,
        ).write(folder)
        return folder

    return make


@pytest.fixture(scope="session")
def tiny_diffusion(make_denoiser) -> Path:
    """Folder of an untrained denoiser for images of two channels of uint16, crops of 16 x 16, 50 timesteps."""
    from fewstain.settings import DiffusionSettings

    return make_denoiser(DiffusionSettings(channels=(8,), crop=16, train_timesteps=50), 2, "uint16")


@pytest.fixture(scope="session")
def discs() -> Callable[..., tuple[np.ndarray, np.ndarray]]:
    """Give a function that draws bright discs on a dark ground: (side, side) uint8, and their uint16 labels."""

    def draw(seed, side=48):
        rng = np.random.default_rng(seed)
        rows, columns = np.ogrid[:side, :side]
        labels = np.zeros((side, side), np.uint16)
        places = [(y, x) for y in range(10, side - 6, 15) for x in range(10, side - 6, 15)]
        for index, (y, x) in enumerate(places):
            y, x = np.add((y, x), rng.integers(-2, 3, 2))
            labels[(rows - y) ** 2 + (columns - x) ** 2 <= 4.5**2] = index + 1
        return np.clip((labels > 0) * 150 + 40 + rng.normal(0, 10, labels.shape), 0, 255).astype(np.uint8), labels

    return draw


@pytest.fixture(scope="session")
def labeled_dataset():
    """Give a function that writes images and labels, {name: (image, labels)}, as a dataset, and opens it."""
    from fewstain.dataset import open_dataset

    def write(root, images):
        for number, folder in enumerate(("images", "labels")):
            (root / folder).mkdir(parents=True, exist_ok=True)
            for name, pair in images.items():
                tifffile.imwrite(root / folder / f"{name}.tif", pair[number])
        return open_dataset(root)

    return write
