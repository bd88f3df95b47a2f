import numpy as np
import pytest
import tifffile

from fewstain.settings import DiffusionSettings, PixelSettings, SegmenterSettings

from .painted_discs import DENOISER, LAYOUTS, PAINTER, discs_of, fake_pixels, stained

PIXELS = PixelSettings(
    timesteps=(20,),
    members=2,
    hidden=(16, 8),
    steps=60,
    batch_pixels=128,
    views=2,
    table_pixels=4000,
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
        decoder_trials=3,
        checkpoint_seconds=60,
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


@pytest.fixture(scope="session")
def unpainted(tmp_path_factory):
    """Folder with data/ and results/, which has diffusion/, pixels/, masks/ and dataset.json: all but a painter."""
    from fewstain.dataset import open_dataset
    from fewstain.diffusion.training import train_diffusion
    from fewstain.provenance import write_record

    folder = tmp_path_factory.mktemp("stain")
    random = np.random.default_rng(0)
    for part in ("data/images", "data/labels", "results/masks"):
        (folder / part).mkdir(parents=True)
    for number in range(8):
        labels = discs_of(random)
        tifffile.imwrite(folder / "data" / "images" / f"{number}.tif", stained(labels, random))
        tifffile.imwrite(folder / "results" / "masks" / f"{number}.tif", labels)
        if number < 2:
            tifffile.imwrite(folder / "data" / "labels" / f"{number}.tif", labels)
    train_diffusion(open_dataset(folder / "data"), folder / "results" / "diffusion", folder / "state", DENOISER)
    fake_pixels(folder / "results")
    write_record(folder / "results" / "dataset.json", folder / "data", {})
    return folder


@pytest.fixture(scope="session")
def stain(unpainted):
    """The same with results/painter, hardly trained."""
    from fewstain.dataset import open_dataset
    from fewstain.pairs.painter_training import train_painter

    train_painter(
        unpainted / "results", open_dataset(unpainted / "data"), unpainted / "painter_state", LAYOUTS, PAINTER
    )
    return unpainted


@pytest.fixture(scope="module")
def anything_goes():
    """Filters that drop next to nothing: no network here has learned what an object looks like."""
    from fewstain.pairs.filters import Limits

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "fewstain.pairs.limits.Limits",
            lambda **given: Limits(**(given | {"plausible": 0, "covered": 1, "copy": 2})),
        )
        yield
