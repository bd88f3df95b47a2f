import numpy as np
import pytest

from fewstain.report.figures import (
    LARGEST,
    loss_figure,
    samples_figure,
    segmentation_figure,
    shrink_step,
    to_rgb,
)


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_to_rgb_is_visible_whatever_the_channels(channels, dtype):
    rgb = to_rgb(np.arange(8 * 9 * channels).reshape(8, 9, channels).astype(dtype))
    assert rgb.shape == (8, 9, 3)
    assert rgb.min() >= 0
    assert rgb.max() <= 1


def test_to_rgb_keeps_the_hue_of_a_colour_picture():
    pixels = np.zeros((10, 10, 3), np.uint8)
    pixels[:5] = (200, 100, 0)
    red, green, blue = to_rgb(pixels)[0, 0]
    assert red == 1
    assert green == pytest.approx(0.5)
    assert blue == 0


def test_to_rgb_stretches_channels_that_are_no_colours():
    pixels = np.zeros((8, 9, 3), np.uint8)
    pixels[:, 4:] = (250, 100, 25)
    np.testing.assert_allclose(to_rgb(pixels, rgb=False)[0, 5], 1)


def test_to_rgb_shows_dim_cells_beside_bright_ones():
    pixels = np.zeros((10, 10, 1), np.uint16)
    pixels[0, :5], pixels[1] = 100, 10_000
    assert to_rgb(pixels)[0, 0, 0] == pytest.approx(0.1, abs=0.01)


def test_shrink_step():
    assert [shrink_step((1, side)) for side in (LARGEST, LARGEST + 1, 3 * LARGEST)] == [1, 2, 3]


def _squares():
    labels = np.zeros((20, 30), np.int32)
    labels[2:8, 2:8] = 1
    labels[10:18, 10:18] = 2
    return labels


def test_segmentation_figure_counts_objects_and_marks_agreement():
    predicted = _squares()
    truth = predicted * (predicted == 1)
    figure = segmentation_figure(np.zeros((20, 30, 1), np.uint16), predicted, np.zeros((20, 30)), truth, "a")
    outlined = figure.axes[1]
    assert outlined.get_title() == "2 found (amber), 1 drawn (blue), white: both"
    marks = outlined.images[1].get_array()
    assert marks[2, 2] == 3  # both
    assert marks[10, 10] == 1  # predicted only
    assert marks.mask[4, 4]  # inside


def test_segmentation_figure_without_truth_of_a_large_image():
    shape = (40, 2 * LARGEST)
    labels = np.zeros(shape, np.int32)
    labels[10:30, 10:30] = 7
    figure = segmentation_figure(np.ones((*shape, 3), np.uint8), labels, np.zeros(shape))
    assert figure.axes[1].get_title() == "1 found (amber)"
    assert figure.axes[0].images[0].get_array().shape == (20, LARGEST, 3)


def test_loss_figure_smooths():
    figure = loss_figure(range(1, 1001), np.linspace(1, 0.1, 1000))
    assert len(figure.axes[0].lines[1].get_xdata()) == 100
    assert len(loss_figure([1], [0.5]).axes[0].lines[1].get_xdata()) == 1


def test_samples_figure_takes_grey_and_colour():
    for shape in ((8, 16), (8, 16, 3)):
        assert samples_figure(np.zeros(shape, np.uint8)).axes[0].images
