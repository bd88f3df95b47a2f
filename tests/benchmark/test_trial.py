import json

import numpy as np
import pytest
import tifffile

from fewstain.benchmark.trial import available_labels, build_dataset, fingerprint, refuse_tests_in_pool
from fewstain.errors import UserError


@pytest.fixture
def stain(tmp_path):
    root = tmp_path / "stain"
    for folder in ("images", "full-labels", "test/images", "test/labels"):
        (root / folder).mkdir(parents=True)
    labels = np.arange(30, dtype=np.uint16).reshape(5, 6)
    tifffile.imwrite(root / "images/a.tif", labels.astype(np.uint8))
    tifffile.imwrite(root / "full-labels/a.tif", labels)
    tifffile.imwrite(root / "test/images/t.tif", labels.astype(np.uint8))
    tifffile.imwrite(root / "test/labels/t.tif", labels)
    windows = [{"image": "a", "y": 1, "x": 2}, {"image": "a", "y": 0, "x": 0}]
    (root / "few-labels.json").write_text(json.dumps({"crop": 2, "seeds": {"0": windows}}))
    return root


def test_cuts_the_first_windows_and_links_the_rest(stain, tmp_path):
    out = build_dataset(stain, tmp_path / "out", 1, 0)
    assert [path.name for path in (out / "labels").iterdir()] == ["a__y1_x2.tif"]
    np.testing.assert_array_equal(tifffile.imread(out / "labels/a__y1_x2.tif"), [[8, 9], [14, 15]])
    assert (out / "images/a.tif").is_symlink()
    assert (out / "test/labels/t.tif").is_file()


def test_an_earlier_trial_is_replaced_and_its_links_targets_stay(stain, tmp_path):
    build_dataset(stain, tmp_path / "out", 1, 0)
    out = build_dataset(stain, tmp_path / "out", 2, 0)
    assert len(list((out / "labels").iterdir())) == 2
    assert (stain / "images/a.tif").is_file()


def test_refuses_other_folders_and_more_windows_than_there_are(stain, tmp_path):
    with pytest.raises(UserError, match="no 3 windows"):
        build_dataset(stain, tmp_path / "out", 3, 0)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").touch()
    with pytest.raises(UserError, match="is no trial"):
        build_dataset(stain, tmp_path / "mine", 1, 0)
    assert (tmp_path / "mine/file").exists()


def test_all_labels_of_a_stain_are_its_whole_images(stain, tmp_path):
    out = build_dataset(stain, tmp_path / "out", None, 0)
    assert [path.name for path in (out / "labels").iterdir()] == ["a.tif"]
    assert tifffile.imread(out / "labels/a.tif").shape == (5, 6)


@pytest.fixture
def dataset(tmp_path):
    """A dataset of one's own: five labeled images, one test image."""
    root = tmp_path / "mystain"
    plane = np.ones((4, 4), np.uint8)
    for name in "abcde":
        for folder in ("images", "labels"):
            (root / folder).mkdir(parents=True, exist_ok=True)
            tifffile.imwrite(root / folder / f"{name}.tif", plane)
    for folder in ("test/images", "test/labels"):
        (root / folder).mkdir(parents=True)
        tifffile.imwrite(root / folder / "t.tif", plane)
    return root


def test_a_seed_draws_the_label_files_of_a_dataset(dataset, tmp_path):
    chosen = {}
    for seed in (0, 1):
        for n in (2, 4):
            out = build_dataset(dataset, tmp_path / "out", n, seed)
            chosen[seed, n] = {path.name for path in (out / "labels").iterdir()}
    assert [len(chosen[0, n]) for n in (2, 4)] == [2, 4]
    assert chosen[0, 2] < chosen[0, 4]  # more labels are the same and some more
    assert chosen[0, 2] != chosen[1, 2]
    with pytest.raises(UserError, match="5 label files, not 6"):
        build_dataset(dataset, tmp_path / "out", 6, 0)


def test_what_is_not_there_is_told(stain, dataset, tmp_path):
    assert available_labels(stain, (0,)) == 2
    assert available_labels(dataset) == 5
    with pytest.raises(UserError, match="no windows of seed 3; seeds: 0"):
        available_labels(stain, (0, 3))
    with pytest.raises(UserError, match="no such folder"):
        available_labels(tmp_path / "nowhere")
    (dataset / "test/labels/t.tif").unlink()
    with pytest.raises(UserError, match="no labels of test images"):
        build_dataset(dataset, tmp_path / "out", 2, 0)


def test_the_fingerprint_is_of_the_data_and_not_of_the_place(dataset, tmp_path):
    before = fingerprint(dataset)
    moved = dataset.rename(tmp_path / "elsewhere")
    assert fingerprint(moved) == before
    tifffile.imwrite(moved / "labels/a.tif", np.zeros((4, 4), np.uint8))  # as large as it was
    assert fingerprint(moved) != before


def test_a_test_image_that_is_in_the_pool_is_refused(dataset):
    (dataset / "test/images/t.tif").unlink()
    tifffile.imwrite(dataset / "test/images/t.tif", np.arange(16, dtype=np.uint8).reshape(4, 4))
    refuse_tests_in_pool(dataset)
    # under another name, and compressed, so that the files differ
    tifffile.imwrite(dataset / "images/z.tif", np.arange(16, dtype=np.uint8).reshape(4, 4), compression="zlib")
    with pytest.raises(UserError, match=r"t\.tif: has the same pixels as .*z\.tif in the pool"):
        refuse_tests_in_pool(dataset)
