import importlib
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

from fewstain.images.normalise import Normaliser
from fewstain.pixels.labeled_window import label_window
from fewstain.settings import PixelSettings

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def benchmark(monkeypatch):
    """Import a benchmark by name, with its neighbours."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield importlib.import_module
    for name in ("pixel_fit", "published", "labeled_squares"):
        sys.modules.pop(name, None)


class TwoMaps:
    """The image, and the image at half resolution: two features."""

    multiple = 2

    def maps(self, images, origin=(0, 0), draw=0):
        return [images, torch.nn.functional.avg_pool2d(images, 2)]


@pytest.fixture
def window():
    labels = np.zeros((32, 32), np.int32)
    labels[8:24, 8:24] = 1
    image = np.where(labels > 0, 0.8, -0.8).astype(np.float32)[None]
    return label_window(image, labels, (0, 0), "w", "w", 1)


def test_published_rows_are_the_upsampled_features_of_all_pixels(benchmark, window):
    published = benchmark("published")
    features, classes, distance = published.pixel_rows(TwoMaps(), [window, window])
    assert features.shape == (2 * 32 * 32, 2)
    assert features.dtype == torch.float32
    torch.testing.assert_close(features[32 * 32 :, 0], window.image.flatten())
    np.testing.assert_array_equal(classes[: 32 * 32].reshape(32, 32), window.targets.classes)
    assert distance[0] == 0


def test_published_members_learn_and_map_an_image(benchmark, window, monkeypatch):
    published = benchmark("published")
    monkeypatch.setattr(published, "MOST_EPOCHS", 8)
    members = published.fit_published(TwoMaps(), [window], 3, 2, 0)
    maps = published.predict_published(members, TwoMaps(), window.image)
    assert maps.probabilities.shape == (1, 3, 32, 32)
    assert maps.uncertainty.shape == maps.distance.shape == (1, 32, 32)
    foreground = 1 - maps.probabilities[0, 0].numpy()
    assert foreground[window.labels > 0].min() > foreground[window.labels == 0].max()


def test_published_training_stops_early_but_not_before_the_fifth_epoch(benchmark, monkeypatch):
    published = benchmark("published")
    losses = iter(range(10**6))  # they never fall: the first of the fifth epoch stays the least
    monkeypatch.setattr(published, "train_step", lambda *_: next(losses))
    batches = 100
    rows = TensorDataset(*(torch.zeros(64 * batches) for _ in range(3)))
    published.train_member(rows, 1, 3)
    assert next(losses) == 4 * batches + 1 + 51


def test_squares_come_apart_first_then_overlapping_then_turned(benchmark):
    squares = benchmark("labeled_squares")
    assert squares.corners((16, 8), 8) == [(0, 0), (8, 0), (2, 0), (4, 0), (6, 0)]
    pixels = np.arange(128, dtype=np.float32).reshape(16, 8, 1)
    image = squares.LabeledImage(pixels, np.ones((16, 8), np.int32))
    small = squares.LabeledImage(pixels[:4], np.ones((4, 8), np.int32))
    found = squares.squares(iter([small, image]), 6, 8, lambda raw: np.moveaxis(raw, -1, 0))
    assert [float(each.image[0, 0, 0]) for each in found[:2]] == [0, 64]
    np.testing.assert_array_equal(found[5].image[0], np.rot90(pixels[:8, :, 0]))
    with pytest.raises(ValueError, match="give 5"):
        squares.squares(iter([image]), 41, 8, lambda raw: np.moveaxis(raw, -1, 0))


def test_a_smaller_published_run_is_extrapolated(benchmark, monkeypatch):
    pixel_fit = benchmark("pixel_fit")
    options = pixel_fit.parse(["--n-published", "10"])
    monkeypatch.setattr(pixel_fit, "published_limits", lambda _: {"by_memory": 20, "by_seconds": 40})

    def measured(options, way, n):
        ours = way == "ours"
        return {
            "fit_seconds": 4 if ours else 100,
            "predict_seconds": 1 if ours else 10,
            "extra_bytes": 10 if ours else 1000,
            "image_bytes": 50,
            "ap50": n / 100,
        }

    monkeypatch.setattr(pixel_fit, "in_fresh_process", measured)
    result = pixel_fit.compare(options)
    assert result["speedup"] == (100 * 3 + 10) / 5
    assert result["memory_ratio"] == (1000 + 20 * 2 * 50) / 10
    assert result["extrapolated"]
    assert (result["ap50_ours"], result["ap50_published"], result["n_published"]) == (0.1, 0.1, 10)
    options.n_published = None
    assert pixel_fit.compare(options)["n_published"] == 20


@pytest.mark.parametrize("way", ["ours", "published"])
def test_each_way_runs_on_the_embedded_image(benchmark, monkeypatch, way):
    pixel_fit = benchmark("pixel_fit")
    monkeypatch.setattr(pixel_fit.published, "MOST_EPOCHS", 1)
    settings = PixelSettings(steps=5, views=1, members=2, components=1, table_pixels=256, batch_pixels=64)
    normaliser = Normaliser(floor=(1.0,))
    monkeypatch.setattr(pixel_fit, "prepare", lambda _: (settings, TwoMaps(), normaliser.apply))
    words = ["--way", way, "--images", "2", "--test-images", "1", "--side", "64", "--decoder-trials", "1"]
    result = pixel_fit.run_way(pixel_fit.parse(words))
    assert (result["images"], result["members"], result["features"]) == (2, 2, 2)
    assert result["image_bytes"] == 2 * 64 * 64 * 4
    assert result["extra_bytes"] >= 0
    assert 0 <= result["ap50"] <= 1
