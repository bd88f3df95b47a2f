import signal
from pathlib import Path

import pytest
from hypothesis import settings

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
def tiny_diffusion(tmp_path_factory) -> Path:
    """Folder of an untrained denoiser for images of two channels of uint16, crops of 16 x 16, 50 timesteps."""
    import torch

    from fewstain.diffusion.network import build_denoiser
    from fewstain.diffusion.record import DenoiserRecord
    from fewstain.images.normalise import Normaliser
    from fewstain.settings import DiffusionSettings

    settings = DiffusionSettings(channels=(8,), crop=16, train_timesteps=50)
    folder = tmp_path_factory.mktemp("diffusion")
    with torch.random.fork_rng():
        torch.manual_seed(0)
        build_denoiser(settings, 2).save(folder)
    DenoiserRecord(
        normaliser=Normaliser(),
        channels=(0, 1),
        image_channels=2,
        dtype="uint16",
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
        file_channels=2,
    ).write(folder)
    return folder
