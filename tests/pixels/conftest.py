from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from fewstain.diffusion.network import build_denoiser
from fewstain.images.normalise import Normaliser
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.features import DiffusionFeatures
from fewstain.pixels.folder import save_pixels
from fewstain.pixels.record import PixelsRecord
from fewstain.settings import DiffusionSettings


@pytest.fixture(scope="session")
def random_results(tmp_path_factory) -> Callable[..., Path]:
    """Make a results folder whose tiny network and ensemble are random, but whose every part is in place."""

    def make(channels=(0,), file_channels=1, dtype="uint8", classes=("object",), threshold=0.66) -> Path:
        results = tmp_path_factory.mktemp("results")
        torch.manual_seed(0)
        denoiser = build_denoiser(DiffusionSettings(channels=(8, 16)), len(channels)).eval()
        (results / "diffusion").mkdir()
        denoiser.save(results / "diffusion")
        blocks = ("up0.1", "up1.1")
        extractor = DiffusionFeatures(denoiser, (20, 80), blocks)
        features = sum(each.shape[1] for each in extractor.maps(torch.zeros(1, len(channels), 16, 16)))
        ensemble = PixelEnsemble(2, features, 2 + len(classes), hidden=(8, 4))
        record = PixelsRecord(
            timesteps=(20, 80),
            blocks=blocks,
            noise_draws=1,
            filters=False,
            seed=3,
            autocast=False,
            classes=classes,
            decoder=Consensus((DecoderParameters(foreground_threshold=threshold, min_area=4, max_radius=8),)),
            members=2,
            hidden=(8, 4),
            features=features,
            normaliser=Normaliser(floor=(20.0,) * len(channels)),
            channels=channels,
            file_channels=file_channels,
            dtype=dtype,
            n_labels=24,
            choices={"timesteps": [{"timesteps": [20, 80], "AP50": 0.5}]},
        )
        save_pixels(results / "pixels", ensemble, record, results / "diffusion")
        return results

    return make


@pytest.fixture(scope="session")
def grey_results(random_results) -> Path:
    return random_results()
