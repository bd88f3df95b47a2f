import numpy as np
import pytest

from fewstain.check import check_dataset
from fewstain.dataset import open_dataset
from fewstain.demo import LABELED_COLUMNS, TEST_FROM, binned, packaged, write_demo
from fewstain.description import read_words
from fewstain.errors import UserError
from fewstain.images.read import read_image, read_labels


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    pytest.importorskip("mahotas")
    return write_demo(tmp_path_factory.mktemp("data") / "demo")


def test_the_demo_is_a_sound_dataset(demo):
    report = check_dataset(demo[0])
    assert report.errors == []
    assert (report.n_images, report.n_labels, report.n_test_labeled, report.dtype) == (2, 8, 1, "uint8")
    tissue = check_dataset(demo[1])
    assert tissue.ok
    assert (tissue.n_images, tissue.n_labels, tissue.channels) == (2, 0, 3)
    assert tissue.suggestions
    assert [read_words(dataset) for dataset in demo] == [
        ("fluorescence", "nuclei"),
        ("hematoxylin", "tissue", "section"),
    ]


def test_labels_and_test_are_where_the_original_has_them(demo):
    dataset = open_dataset(demo[0])
    image = read_image(packaged("stardist", "data/images/img2d.tif")).pixels
    labels = read_labels(packaged("stardist", "data/images/mask2d.tif"))
    for window in dataset.windows:
        part = read_labels(window.labels)
        assert window.x + part.shape[1] <= LABELED_COLUMNS < TEST_FROM
        np.testing.assert_array_equal(part, labels[window.y :, window.x :][:128, :128])
    np.testing.assert_array_equal(read_image(dataset.images[0]).pixels, image[:, :LABELED_COLUMNS])
    np.testing.assert_array_equal(read_image(dataset.test[0].image).pixels, image[:, TEST_FROM:])
    np.testing.assert_array_equal(read_labels(dataset.test[0].labels), labels[:, TEST_FROM:])


def test_binned():
    pixels = np.array([[1, 3, 9], [5, 7, 9]], np.uint8)[..., None]
    assert binned(pixels, 2).tolist() == [[[4]]]
    assert binned(pixels, 2).dtype == np.uint8


def test_a_package_that_is_not_there():
    with pytest.raises(UserError, match="pip install"):
        packaged("no_such_package", "a.tif")
