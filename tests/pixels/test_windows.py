import itertools

import numpy as np
import pytest
import tifffile
from numpy.testing import assert_array_equal

from fewstain.dataset import open_dataset
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.pixels.targets import pixel_targets
from fewstain.pixels.windows import CONTEXT, label_window, read_windows

NORMALISER = Normaliser(floor=(1.0,))


def numbered(height=150, width=170):
    """An image whose every pixel tells its place, and labels cut out of a field of squares."""
    rows, columns = np.indices((height, width), np.float32)
    labels = ((rows // 10) * 100 + columns // 10 + 1).astype(np.int32)
    return np.stack([rows, columns]), labels


@pytest.mark.parametrize(("corner", "multiple"), [((50, 60), 8), ((0, 0), 8), ((110, 130), 16), ((35, 33), 1)])
def test_a_window_lies_in_its_surroundings(corner, multiple):
    image, labels = numbered()
    cut = labels[corner[0] : corner[0] + 40, corner[1] : corner[1] + 40]
    window = label_window(image, cut, corner, "w", "g", multiple)
    assert all(side % multiple == 0 for side in (*window.image.shape[1:], *window.origin))
    assert_array_equal(window.image[0, 0, 0], window.origin[0])
    assert_array_equal(window.image[:, *window.inside], np.stack([window.source_rows, window.source_columns]))
    assert_array_equal(window.labels, cut)
    context = (window.top, window.left)
    for start, before, limit in zip(corner, context, (150, 170), strict=True):
        assert before == start if start < CONTEXT else CONTEXT <= before < CONTEXT + multiple
        assert start + 40 <= limit
    assert np.isfinite(window.image.numpy()).all()


@pytest.mark.parametrize(("turns", "mirrored"), list(itertools.product(range(4), (False, True))))
def test_all_eight_symmetries_keep_everything_together(turns, mirrored):
    image, labels = numbered()
    window = label_window(image, labels[100:130, 20:60], (100, 20), "w", "g", 8)
    turned = window.turned(turns, mirrored)
    assert turned.labels.shape == ((30, 40) if turns % 2 == 0 else (40, 30))
    rows, columns = turned.source_rows, turned.source_columns
    assert_array_equal(turned.image[:, *turned.inside], np.stack([rows, columns]))
    assert_array_equal(turned.labels, labels[rows, columns])
    assert (turned.origin, turned.name, turned.group) == (window.origin, "w", "g")
    for name in ("classes", "distance", "distance_known"):
        plain = np.zeros((150, 170))
        plain[100:130, 20:60] = getattr(window.targets, name)
        assert_array_equal(getattr(turned.targets, name), plain[rows, columns])
    expected = pixel_targets(turned.labels)
    assert_array_equal(turned.targets.classes, expected.classes)
    np.testing.assert_allclose(turned.targets.distance, expected.distance)
    assert_array_equal(turned.targets.distance_known, expected.distance_known)


@pytest.fixture
def root(tmp_path):
    """An image of 300 x 90 with a label of the whole and one of a window in another image."""
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    rng = np.random.default_rng(0)
    for name in ("big", "small"):
        tifffile.imwrite(tmp_path / "images" / f"{name}.tif", rng.integers(0, 255, (300, 90), np.uint8))
    labels = np.zeros((300, 90), np.uint16)
    labels[140:160, 10:30], labels[200:220, 40:60] = 1, 2
    tifffile.imwrite(tmp_path / "labels" / "big.tif", labels)
    tifffile.imwrite(tmp_path / "labels" / "small__y8_x16.tif", labels[130:190, :60])
    return tmp_path


def read(root, classes=None):
    dataset = open_dataset(root)
    return list(read_windows(dataset, dataset.windows, NORMALISER, (0,), 8, classes or {}))


def test_large_labels_come_in_pieces_of_one_group(root):
    upper, lower, small = read(root)
    assert [each.name for each in (upper, lower, small)] == ["big__y0_x0", "big__y150_x0", "small__y8_x16"]
    assert [each.group for each in (upper, lower, small)] == ["big", "big", "small"]
    assert [each.labels.shape for each in (upper, lower, small)] == [(150, 90), (150, 90), (60, 60)]
    assert lower.source_rows.min() == 150
    # the object that the cut goes through is of unknown distance on both sides
    assert not upper.targets.distance_known[140:, 10:30].any()
    assert not lower.targets.distance_known[:10, 10:30].any()
    assert lower.targets.distance_known[50:70, 40:60].all()


def test_a_window_beyond_its_image(root):
    (root / "labels" / "small__y8_x16.tif").rename(root / "labels" / "small__y250_x16.tif")
    with pytest.raises(UserError, match=r"small__y250_x16\.tif: the window reaches beyond small\.tif; correct the"):
        read(root)


def test_classes_of_objects(root):
    table = root / "labels" / "classes.csv"
    table.write_text("file,label,class\nbig,1,b\nbig,2,a\nsmall__y8_x16,1,a\n")
    upper, lower, small = read(root, {"a": 0, "b": 1})
    assert (upper.class_of_label, small.class_of_label) == ({1: 1, 2: 0}, {1: 0})
    assert upper.targets.classes[145, 20] == 3
    assert lower.targets.classes[60, 50] == small.targets.classes[20, 20] == 2
    assert read(root)[0].class_of_label == {}


def test_an_object_without_a_class_where_others_have_one(root):
    (root / "labels" / "classes.csv").write_text("file,label,class\nbig,1,b\nsmall__y8_x16,1,b\n")
    with pytest.raises(UserError, match=r"big\.tif: labels \[2\] have no class in .*classes\.csv; add a row"):
        read(root, {"b": 0})
