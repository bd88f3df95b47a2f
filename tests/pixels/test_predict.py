import tracemalloc

import numpy as np
import pytest
import torch

from fewstain.pixels.blocks import decode_blocks
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.ensemble import PixelEnsemble, PixelMaps
from fewstain.pixels.planes import Planes, zeros
from fewstain.pixels.predict import EnsemblePredictor, ImageMaps, predict_maps
from fewstain.settings import SegmentSettings


class Pointwise:
    """A predictor without context: what it says of a pixel does not depend on the tile."""

    multiple, classes = 8, 3

    def __init__(self):
        self.origins = []

    def __call__(self, images, origin, flips=False):
        self.origins.append(origin)
        value = images.mean(1)
        return PixelMaps(torch.stack([value, value * 2, value * 3], 1), value * 4, value * 5)


class Shifts:
    """An extractor of two maps: the image, and its draw's number at a quarter of the resolution."""

    multiple = 4

    def maps(self, images, origin=(0, 0), draw=0):
        small = torch.full((len(images), 1, images.shape[2] // 4, images.shape[3] // 4), float(draw))
        return [images, small]


@pytest.mark.parametrize("shape", [(100, 75), (30, 200), (5, 3)])
@pytest.mark.parametrize("on_disk", [False, True])
def test_tiles_of_a_local_predictor_equal_the_whole(tmp_path, shape, on_disk):
    pixels = np.random.default_rng(0).random((*shape, 2), np.float32)
    maps = ImageMaps.empty(shape, Pointwise(), tmp_path if on_disk else None)
    predictor, done = Pointwise(), []
    predict_maps(
        pixels,
        lambda window: np.moveaxis(window, -1, 0),
        predictor,
        SegmentSettings(tile=32, overlap=8),
        maps,
        lambda: done.append(1),
    )
    value = pixels.mean(-1)
    assert maps.planes.array == pytest.approx(np.stack([value * n for n in (1, 2, 3, 4, 5)]), abs=5e-3 * on_disk + 1e-5)
    assert maps.uncertainty == pytest.approx(value * 5, abs=5e-3 * on_disk + 1e-5)
    assert len(done) == len(predictor.origins)
    assert predictor.origins[0] == (0, 0)
    assert all(y % 8 == x % 8 == 0 for y, x in predictor.origins)


class Bright:
    """A predictor that takes bright pixels for objects."""

    multiple, classes = 8, 3

    def __call__(self, images, origin, flips=False):
        value = images[:, 0]
        return PixelMaps(torch.stack([1 - value, 0 * value, value], 1), value, 0 * value)


def peak_of_segmenting(side, folder):
    """Peak of what NumPy takes for an image of squares beside its pixels, bytes; blocks with objects, and objects."""
    square = np.pad(np.ones((16, 16), np.float32), 8)
    pixels = np.tile(square, (side // 32, side // 32))[..., None]
    maps, labels = ImageMaps.empty((side, side), Bright(), folder), zeros((side, side), np.int32, folder)
    decoder = Consensus((DecoderParameters(smoothing=0, max_radius=8),))
    tracemalloc.start()
    try:
        predict_maps(pixels, lambda part: np.moveaxis(part, -1, 0), Bright(), SegmentSettings(tile=128), maps)
        found = sum(bool(block.labels.any()) for block in decode_blocks(maps, decoder, labels, core=128))
        return tracemalloc.get_traced_memory()[1], found, int(labels.array.max())
    finally:
        tracemalloc.stop()


def test_memory_does_not_grow_with_the_image(tmp_path):
    peak, *found = peak_of_segmenting(512, tmp_path)
    larger, *more = peak_of_segmenting(1024, tmp_path)
    assert (found, more) == ([16, 256], [64, 1024])
    assert larger < 1.2 * peak


def test_any_size_is_padded_and_cut_again():
    torch.manual_seed(0)
    predict = EnsemblePredictor(Shifts(), PixelEnsemble(2, 2, 3, hidden=(4, 4)).eval())
    images = torch.rand(1, 1, 6, 7)
    found = predict(images, (0, 0))
    assert found.probabilities.shape == (1, 3, 6, 7)
    assert found.distance.shape == found.uncertainty.shape == (1, 6, 7)
    assert found.probabilities.sum(1) == pytest.approx(1, abs=1e-5)


def test_flips_average_over_mirror_images_and_draws():
    torch.manual_seed(0)
    extractor, ensemble = Shifts(), PixelEnsemble(2, 2, 3, hidden=(4, 4)).eval()
    images = torch.rand(1, 1, 8, 4)
    expected = []
    for draw, flip in enumerate([(), (-1,), (-2,), (-2, -1)]):
        each = ensemble.predict(extractor.maps(images.flip(flip), draw=draw), (8, 4))
        expected.append(each.probabilities.flip(flip))
    found = EnsemblePredictor(extractor, ensemble)(images, (0, 0), flips=True)
    assert torch.allclose(found.probabilities, torch.stack(expected).mean(0), atol=1e-6)


def test_a_window_is_a_copy_in_float32(tmp_path):
    maps = ImageMaps.empty((6, 6), Pointwise(), tmp_path)
    maps.planes.array[3, 2, 2] = 0.5
    window = maps.window(slice(2, 4), slice(2, 6))
    assert window.shape == (2, 4)
    assert window.distance.dtype == np.float32
    assert window.distance[0, 0] == 0.5
    assert [band.planes.array.shape for band in maps.bands(4)] == [(5, 4, 6), (5, 2, 6)]


def test_what_decoders_take_of_a_window():
    maps = ImageMaps(Planes(np.random.default_rng(0).random((5, 4, 6), np.float32)))
    window = maps.window(slice(1, 3), slice(0, 2))
    foreground, boundary, distance = window.decodable()
    np.testing.assert_array_equal(foreground, 1 - maps.planes.array[0, 1:3, :2])
    np.testing.assert_array_equal(boundary, maps.planes.array[1, 1:3, :2])
    np.testing.assert_array_equal(distance, maps.planes.array[3, 1:3, :2])
    np.testing.assert_array_equal(window.probabilities, maps.planes.array[:3, 1:3, :2])
    np.testing.assert_array_equal(window.uncertainty, maps.planes.array[4, 1:3, :2])
