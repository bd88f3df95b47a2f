import numpy as np
import pytest
import tifffile

from fewstain.dataset import open_dataset
from fewstain.errors import UserError
from fewstain.evaluate.scores import ScoreSum
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_labels
from fewstain.pixels.windows import read_windows

NORMALISER = Normaliser(floor=(1.0,))


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


def test_windows_know_the_colours_of_the_whole_pool(root):
    tifffile.imwrite(root / "images" / "other.tif", np.full((20, 20), 9, np.uint8))
    assert [each.colours.images for each in read(root)] == [("big", "other", "small")] * 3


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


def test_large_labels_are_numbered_and_keep_their_classes_and_scores(root):
    file, low, high = root / "labels" / "small__y8_x16.tif", 2**24 + 1, 2**31 - 1
    drawn = np.zeros((60, 60), np.uint32)
    drawn[10:30, 10:20], drawn[10:30, 20:40], drawn[40:50, 5:15] = low, low + 1, high
    tifffile.imwrite(file, drawn)
    named = {low: "a", low + 1: "b", high: "a"}
    rows = "".join(f"small__y8_x16,{label},{kind}\n" for label, kind in named.items())
    (root / "labels" / "classes.csv").write_text(f"file,label,class\nbig,1,b\nbig,2,a\n{rows}")
    window = read(root, {"a": 0, "b": 1})[-1]
    assert [window.labels[row, column] for row, column in ((0, 0), (20, 15), (20, 30), (45, 10))] == [0, 1, 2, 3]
    assert window.class_of_label == {1: 0, 2: 1, 3: 0}
    found = np.roll(drawn, 2, axis=0)
    by_number, by_label = ScoreSum(), ScoreSum()
    true = {number: "ab"[kind] for number, kind in window.class_of_label.items()}
    by_number.add(window.labels, found, truth_classes=true, predicted_classes=named)
    by_label.add(read_labels(file), found, truth_classes=named, predicted_classes=named)
    assert by_number.scores() == by_label.scores()


def test_an_object_without_a_class_where_others_have_one(root):
    (root / "labels" / "classes.csv").write_text("file,label,class\nbig,1,b\nsmall__y8_x16,1,b\n")
    with pytest.raises(UserError, match=r"big\.tif: labels \[2\] have no class in .*classes\.csv; add a row"):
        read(root, {"b": 0})
