import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser
from fewstain.images.write import write_image, write_labels
from fewstain.pairs.reading import read_pairs
from fewstain.storage import write_json

SQUARE = np.zeros((12, 16), np.int32)
SQUARE[2:8, 3:9] = 1


def write(folder, name, channels=2, labels=SQUARE):
    pixels = np.zeros((12, 16, channels), np.uint8)
    pixels[..., -1] = 200 * (SQUARE > 0)
    write_image(folder / "images" / f"{name}.tif", pixels)
    if labels is not None:
        write_labels(folder / "labels" / f"{name}.tif", labels)


def test_pairs_are_windows_of_the_models_channels(tmp_path):
    for name in ("00001", "00000"):
        write(tmp_path, name)
    first, second = read_pairs(tmp_path, Normaliser(), (1,), 2, 8)
    assert (first.name, second.group) == ("pair 00000", "pair 00001")
    assert first.image.shape == (1, 16, 16)  # mirrored to a multiple of 8
    assert (first.labels == SQUARE).all()
    assert first.image[0, 4, 5] == 1
    assert first.image[0, 0, 0] == -1


def test_edits_are_of_the_group_of_what_they_are_edits_of(tmp_path):
    for number in range(3):
        write(tmp_path, f"pair-{number:06d}")
    write_json(tmp_path / "pairs.json", {"made": {"n": 3, "edited images": ["one", "another"]}})
    windows = read_pairs(tmp_path, Normaliser(), (1,), 2, 8, {"one": "a"})
    assert [window.group for window in windows] == ["a", "pair pair-000001", "a"]


def test_what_does_not_fit_is_told(tmp_path):
    with pytest.raises(UserError, match="no images, so there are no pairs to learn from; run `fewstain pairs` first"):
        read_pairs(tmp_path, Normaliser(), (1,), 2, 8)
    write(tmp_path, "a")
    with pytest.raises(UserError, match=r"a\.tif: 12 x 16 pixels of 2 channels, .* the model's images 3 channels"):
        read_pairs(tmp_path, Normaliser(), (1,), 3, 8)
    write(tmp_path, "b", labels=SQUARE[:10])
    with pytest.raises(UserError, match=r"b\.tif: .* but its labels have 10 x 16"):
        read_pairs(tmp_path, Normaliser(), (1,), 2, 8)
    write(tmp_path, "aa", labels=None)
    with pytest.raises(UserError, match=r"aa\.tif: no labels of this name"):
        read_pairs(tmp_path, Normaliser(), (1,), 2, 8)
