from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.images.write import write_image
from fewstain.pixels.folder import load_pixels
from fewstain.pixels.segment import segment_files
from fewstain.pixels.update import update_files
from fewstain.settings import SegmentSettings
from fewstain.stages import CODE_VERSIONS

SETTINGS = SegmentSettings(tile=32, overlap=8)


@pytest.fixture
def images(tmp_path):
    """Three images of noise."""
    rng = np.random.default_rng(0)
    paths = [tmp_path / "images" / f"{name}.tif" for name in "abc"]
    for path in paths:
        write_image(path, rng.integers(0, 255, (40, 48)).astype(np.uint8))
    return paths


@pytest.fixture(scope="module")
def model(grey_results):
    return load_pixels(grey_results, device="cpu")


def test_the_tables_are_those_of_one_call_for_all(model, images, tmp_path):
    once, grown = tmp_path / "once", tmp_path / "grown"
    segment_files(model, images, once, SETTINGS, progress=False)
    assert update_files(model, images[:1], grown, SETTINGS) == 1
    assert update_files(model, images, grown, SETTINGS) == 2
    for name in ("counts.csv", "measurements.csv"):
        pd.testing.assert_frame_equal(pd.read_csv(grown / name), pd.read_csv(once / name))
    for path in images:
        mask = f"masks/{path.stem}.tif"
        np.testing.assert_array_equal(read_labels(grown / mask), read_labels(once / mask))


def test_only_what_is_missing_or_changed_is_done_again(model, images, tmp_path):
    out = tmp_path / "out"
    assert update_files(model, images, out, SETTINGS) == 3
    assert update_files(model, images, out, SETTINGS) == 0
    (out / "masks" / "a.tif").unlink()
    (out / ".segmented" / "b.json").write_text("{")
    assert update_files(model, images, out, SETTINGS) == 2
    write_image(images[2], np.zeros((40, 48), np.uint8))
    assert update_files(model, images, out, SETTINGS) == 1
    assert update_files(model, images, out, SETTINGS, pixel_size_um=0.5) == 3
    assert not (out / ".segmented" / "work").exists()


def test_what_the_segmenting_code_or_the_names_of_classes_change_is_done_again(model, images, tmp_path, monkeypatch):
    out = tmp_path / "out"
    assert update_files(model, images, out, SETTINGS) == 3
    renamed = replace(model, record=replace(model.record, classes=("nucleus",)))
    assert update_files(renamed, images, out, SETTINGS) == 3  # the hash of a segmenter's model knows no names
    assert update_files(renamed, images, out, SETTINGS) == 0
    monkeypatch.setitem(CODE_VERSIONS, "segment", 99)
    assert update_files(renamed, images, out, SETTINGS) == 3


def test_a_removed_image_leaves_the_tables(model, images, tmp_path):
    update_files(model, images, tmp_path / "out", SETTINGS)
    update_files(model, images[:2], tmp_path / "out", SETTINGS)
    assert list(pd.read_csv(tmp_path / "out" / "counts.csv")["image"]) == ["a", "b"]
    assert set(pd.read_csv(tmp_path / "out" / "measurements.csv")["image"]) <= {"a", "b"}


def test_masks_can_have_a_folder_of_their_own(model, images, tmp_path):
    out = tmp_path / "out"
    update_files(model, images, out, SETTINGS, masks=out)
    assert sorted(path.name for path in out.glob("*.tif")) == ["a.tif", "b.tif", "c.tif"]
    assert not (out / "masks").exists()


def test_nothing_is_done_where_one_file_does_not_fit(model, images, tmp_path):
    write_image(images[2], np.zeros((40, 48, 3), np.uint8))
    with pytest.raises(UserError, match=r"c\.tif"):
        update_files(model, images, tmp_path / "out", SETTINGS)
    with pytest.raises(UserError, match="no images"):
        update_files(model, [], tmp_path / "out", SETTINGS)
    with pytest.raises(UserError, match="same name"):
        update_files(model, [images[0], images[0].with_suffix(".png")], tmp_path / "out", SETTINGS)
    assert not (tmp_path / "out").exists()
