import numpy as np
import pandas as pd
import pytest

from fewstain.errors import UserError
from fewstain.images.write import write_image, write_labels, write_map
from fewstain.pixels.corrected import write_corrected
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
    assert write_corrected(results, data) == 1
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


def test_without_corrections_the_tables_are_those_predicted(folders):
    data, results = folders
    assert write_corrected(results, data) == 0
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
