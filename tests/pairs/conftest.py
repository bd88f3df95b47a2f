import pytest

from fewstain.settings import DiffusionSettings, PixelSettings, SegmenterSettings

PIXELS = PixelSettings(
    timesteps=(20,),
    members=2,
    hidden=(16, 8),
    steps=60,
    batch_pixels=128,
    views=2,
    pixels_per_window=300,
    learning_rate=0.02,
    folds=2,
    decoder_trials=3,
    decoder_views=0,
)


@pytest.fixture(scope="session")
def segmenter_settings():
    return SegmenterSettings(
        crop=32,
        batch_size=4,
        steps=40,
        fold_steps=40,
        warmup_steps=2,
        learning_rate=0.01,
        ema_decay=0.9,
        views=1,
        pool_windows=3,
        decoder_trials=3,
        checkpoint_seconds=0,
    )


@pytest.fixture(scope="session")
def fitted(tmp_path_factory, make_denoiser, discs, labeled_dataset):
    """Folder with a dataset of four images of discs, data, and the results of fitting pixels to it, results."""
    from fewstain.pixels.fit import fit_pixels

    folder = tmp_path_factory.mktemp("fitted")
    dataset = labeled_dataset(folder / "data", {name: discs(seed) for seed, name in enumerate("abcd")})
    make_denoiser(DiffusionSettings(channels=(8, 16)), floor=10.0).rename(folder / "diffusion")
    (folder / "results").mkdir()
    (folder / "diffusion").rename(folder / "results" / "diffusion")
    fit_pixels(dataset, folder / "results" / "diffusion", folder / "results" / "pixels", PIXELS)
    return folder


@pytest.fixture(scope="session")
def trained(fitted, segmenter_settings):
    """The same folder with a segmenter in its results."""
    from fewstain.dataset import open_dataset
    from fewstain.pairs.segmenter_fit import train_segmenter

    results = fitted / "results"
    train_segmenter(
        results, open_dataset(fitted / "data"), results / "segmenter", fitted / "state", segmenter_settings, seed=3
    )
    return fitted
