import json

import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.images.write import write_image
from fewstain.provenance import find_dataset, tell_unseen, unseen_images, write_record
from fewstain.storage import sha256_file, write_json


@pytest.fixture
def places(tmp_path):
    write_image(tmp_path / "data" / "cells" / "images" / "a.tif", np.zeros((4, 4), np.uint8))
    results = tmp_path / "results" / "cells"
    write_record(results / "dataset.json", tmp_path / "data" / "cells", {"a.tif": None}, 0.5)
    return tmp_path / "data" / "cells", results


def test_record_tells_place_hashes_and_pixel_size(places):
    record = json.loads((places[1] / "dataset.json").read_text())
    assert record["path"] == "../../data/cells"
    assert record["pixel_sizes_um"] == {"a.tif": 0.5}
    assert len(record["sha256"]["images"]["a.tif"]) == 64


def test_dataset_is_found_from_anywhere(places, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path / "results")
    assert find_dataset(places[1]) == places[0]
    assert find_dataset(places[1], places[0].parent / "cells") == places[0]


def test_a_folder_that_is_no_dataset_cannot_be_given(places):
    for folder in (places[0].parent, places[0] / "nowhere"):
        with pytest.raises(UserError) as caught:
            find_dataset(places[1], folder)
        assert str(caught.value) == f"--data {folder}: no images/ in it; give data/<dataset>"


def test_a_dataset_that_was_moved_must_be_given(places):
    places[0].rename(places[0].with_name("elsewhere"))
    with pytest.raises(UserError, match="--data"):
        find_dataset(places[1])
    with pytest.raises(UserError, match=r"dataset\.json: .* no longer is; correct `path` in it$"):
        find_dataset(places[1], remedy="correct `path` in it")
    with pytest.raises(UserError, match=r"dataset\.json"):
        find_dataset(places[0].with_name("elsewhere"))


def test_images_that_the_denoiser_has_not_seen_are_counted(places):
    root, results = places
    assert tell_unseen(results) == ""  # no denoiser yet
    known = {"name": "a.tif", "sha256": sha256_file(root / "images" / "a.tif")}
    write_json(results / "diffusion" / "fewstain.json", {"pool": [known]})
    assert unseen_images(results) == (0, 1)
    for value in (1, 2):
        write_image(root / "images" / f"new{value}.tif", np.full((4, 4), value, np.uint8))
    write_record(results / "dataset.json", root, {}, 0.5)
    assert unseen_images(results) == (2, 3)
    assert tell_unseen(results).startswith("2 of 3 images were not there when the denoiser was trained; set `retrain")
    assert tell_unseen(results / "nowhere") == ""
    write_json(results / "diffusion" / "fewstain.json", {"pool": "a.tif"})
    with pytest.raises(UserError, match="damaged"):
        unseen_images(results)
