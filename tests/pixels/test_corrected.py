import numpy as np
import pandas as pd
import pytest

from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.images.write import write_image, write_labels, write_map
from fewstain.pixels.carried import model_of, renew_corrections
from fewstain.pixels.corrected import write_corrected
from fewstain.pixels.decisions import read_objects
from fewstain.pixels.measure import count_row, flag_images, measure
from fewstain.storage import write_json

LABELS = np.kron([[1, 0], [0, 2]], np.ones((4, 4), int))


@pytest.fixture
def folders(tmp_path):
    data, results = tmp_path / "data", tmp_path / "results"
    tables = []
    for name in ("a", "b"):
        pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
        write_image(data / "images" / f"{name}.tif", pixels)
        write_map(results / "uncertainty" / f"{name}.tif", 0.1 * LABELS)
        tables.append(measure(LABELS, pixels[..., None], 0.1 * LABELS, image=name))
    pd.concat(tables).to_csv(results / "measurements.csv", index=False)
    counts = [count_row(name, 2, 32, (8, 8), 0.05) for name in ("a", "b")]
    flag_images(pd.DataFrame(counts)).to_csv(results / "counts.csv", index=False)
    write_json(results / "dataset.json", {"pixel_sizes_um": {"a.tif": 0.5}})
    return data, results


def test_corrected_images_are_measured_anew_and_the_others_kept(folders):
    data, results = folders
    one = np.zeros((8, 8), int)
    one[:4] = 7
    write_labels(results / "corrected" / "a.tif", one)
    assert write_corrected(results, data) == (1, [])
    table = pd.read_csv(results / "corrected_measurements.csv")
    assert table[["image", "label", "area_px", "corrected"]].values.tolist() == [
        ["a", 7, 32, True],
        ["b", 1, 16, False],
        ["b", 2, 16, False],
    ]
    assert table["area_um2"][0] == 8
    assert table["intensity_mean_0"][0] == 15.5
    counts = pd.read_csv(results / "corrected_counts.csv")
    assert counts["objects"].tolist() == [1, 2]
    assert counts["area_covered"].tolist() == [0.5, 0.5]
    assert len(pd.read_csv(results / "measurements.csv")) == 4


def test_class_and_confidence_of_corrected_objects_are_those_of_the_table_beside(folders):
    data, results = folders
    write_labels(results / "corrected" / "a.tif", LABELS)
    beside = pd.DataFrame({"label": [1, 2, 9], "class": ["round", None, "gone"], "confidence": [0.75, None, 0.5]})
    beside.to_csv(results / "corrected" / "a.csv", index=False)
    write_corrected(results, data)
    table = pd.read_csv(results / "corrected_measurements.csv")
    assert table["class"].fillna("").tolist() == ["round", "", "", ""]
    assert table["confidence"].fillna(-1).tolist() == [0.75, -1, -1, -1]


@pytest.mark.parametrize("name", ["NA", "None", "null", "nan", "007"])
def test_images_and_classes_may_have_the_names_of_nothing(tmp_path, name):
    data, results = tmp_path / "data", tmp_path / "results"
    pixels = np.zeros((8, 8), np.uint8)
    for image in (name, "z"):
        write_image(data / "images" / f"{image}.tif", pixels)
    classes = {1: name, 2: "other"}
    tables = [measure(LABELS, pixels[..., None], 0.0 * LABELS, image=each, classes=classes) for each in (name, "z")]
    pd.concat(tables).to_csv(results.mkdir() or results / "measurements.csv", index=False)
    counts = [count_row(each, 2, 32, (8, 8), 0.0) for each in (name, "z")]
    flag_images(pd.DataFrame(counts)).to_csv(results / "counts.csv", index=False)
    write_json(results / "dataset.json", {})
    write_labels(results / "corrected" / f"{name}.tif", LABELS)
    beside = pd.DataFrame({"label": [1, 2], "class": [name, None], "confidence": [0.5, None], "area_px": 16})
    beside.to_csv(results / "corrected" / f"{name}.csv", index=False)
    assert read_objects(results / "corrected" / f"{name}.csv")["class"].tolist()[0] == name
    write_corrected(results, data)
    table = pd.read_csv(results / "corrected_measurements.csv", dtype=str, keep_default_na=False)
    assert sorted(table[["image", "label", "class", "corrected"]].values.tolist()) == sorted(
        [[name, "1", name, "True"], [name, "2", "", "True"], ["z", "1", name, "False"], ["z", "2", "other", "False"]]
    )
    counted = pd.read_csv(results / "corrected_counts.csv", dtype=str, keep_default_na=False)
    assert sorted(counted["image"]) == sorted([name, "z"])


def test_numbers_that_are_not_known_are_read_as_such(tmp_path):
    (tmp_path / "a.csv").write_text("image,label,area_px,confidence,class\nNA,1,4,NA,\n")
    row = read_objects(tmp_path / "a.csv").iloc[0]
    assert row["image"] == "NA"
    assert np.isnan(row["confidence"])
    assert pd.isna(row["class"])


def test_without_corrections_the_tables_are_those_predicted(folders):
    data, results = folders
    assert write_corrected(results, data) == (0, [])
    assert len(pd.read_csv(results / "corrected_measurements.csv")) == 4


def test_faults_are_told(folders):
    data, results = folders
    write_labels(results / "corrected" / "a.tif", np.ones((3, 3), int))
    with pytest.raises(UserError, match="not of the size"):
        write_corrected(results, data)
    write_labels(results / "corrected" / "a.tif", LABELS)
    write_labels(results / "corrected" / "c.tif", LABELS)
    with pytest.raises(UserError, match="no image of this name"):
        write_corrected(results, data)
    (results / "counts.csv").unlink()
    with pytest.raises(UserError, match="run the workflow"):
        write_corrected(results, data)


def test_corrections_of_an_earlier_model_are_carried_over_once(folders):
    data, results = folders
    table = pd.read_csv(results / "measurements.csv").assign(model_hash="old")
    decided = table[table["image"] == "a"].assign(decision=["accepted", ""])
    write_labels(results / "corrected" / "a.tif", LABELS)
    decided.to_csv(results / "corrected" / "a.csv", index=False)
    table.to_csv(results / "measurements.csv", index=False)
    assert renew_corrections(results) == []  # of this very model
    moved = np.zeros((8, 8), int)
    moved[:4, :3], moved[4:, 2:6] = 1, 2
    write_labels(results / "masks" / "a.tif", moved)
    table.assign(model_hash="new", confidence=0.5).to_csv(results / "measurements.csv", index=False)
    assert write_corrected(results, data) == (1, ["a"])
    expected = np.zeros((8, 8), int)
    expected[:4, :4], expected[4:, 2:6] = 1, 2  # 1 was accepted, 2 was not
    np.testing.assert_array_equal(read_labels(results / "corrected" / "a.tif"), expected)
    kept = pd.read_csv(results / "corrected" / "a.csv")
    assert kept[["label", "decision", "model_hash"]].fillna("").values.tolist() == [
        [1, "accepted", "new"],
        [2, "", "new"],
    ]
    assert kept["confidence"].fillna(-1).tolist() == [-1, 0.5]
    assert renew_corrections(results) == []
    assert model_of(pd.read_csv(results / "measurements.csv"), "without objects") == "new"
