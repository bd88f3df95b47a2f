import json

import numpy as np
import pytest
import tifffile

from fewstain.errors import UserError
from fewstain.evaluate.folders import evaluate_folders

LABELS = np.array([[1, 1, 0, 0], [1, 1, 0, 2], [0, 0, 0, 2]], np.uint16)


@pytest.fixture
def folders(tmp_path):
    truth, predicted = tmp_path / "truth", tmp_path / "predicted"
    truth.mkdir()
    predicted.mkdir()
    for name in ("a.b", "a.c"):
        tifffile.imwrite(truth / f"{name}.tif", LABELS)
    tifffile.imwrite(predicted / "a.b.tif", LABELS)
    tifffile.imwrite(predicted / "a.c.ome.tif", np.where(LABELS == 1, 9, 0).astype(np.uint16))
    tifffile.imwrite(predicted / "other.tif", LABELS)
    return truth, predicted


def test_scores_images_of_the_same_stem(folders):
    found = evaluate_folders(*folders)
    assert (found["TP"], found["FP"], found["FN"], found["n_images"]) == (3, 0, 1, 2)
    assert found["count_bias"] == -0.5
    assert [(row["image"], row["TP"]) for row in found["images"]] == [("a.b", 2), ("a.c", 1)]
    json.dumps(found, allow_nan=False)


def test_scores_classes_where_both_sides_have_them(folders):
    truth, predicted = folders
    table = "file,label,class\na.b.tif,1,x\na.b.tif,2,y\na.c.tif,1,x\na.c.tif,2,y\n"
    (truth / "classes.csv").write_text(table)
    assert set(evaluate_folders(truth, predicted)["IoU"]) == {"background", "foreground"}
    found = evaluate_folders(truth, predicted, {"a.b": {1: "x", 2: "y"}, "a.c": {9: "x"}})
    assert found["IoU"] == {"background": pytest.approx(12 / 14), "x": 1, "y": 0.5}


def test_a_missing_prediction_is_told(folders):
    truth, predicted = folders
    (predicted / "a.b.tif").unlink()
    with pytest.raises(UserError, match=r"no prediction for a\.b;"):
        evaluate_folders(truth, predicted)


def test_other_sizes_are_told(folders):
    truth, predicted = folders
    tifffile.imwrite(predicted / "a.b.tif", LABELS[:2])
    with pytest.raises(UserError, match=r"a\.b\.tif: 2 × 4 pixels, but .* has 3 × 4"):
        evaluate_folders(truth, predicted)


def test_two_files_of_one_name_are_told(folders):
    tifffile.imwrite(folders[0] / "a.b.ome.tif", LABELS)
    with pytest.raises(UserError, match=r"a\.b\.tif: has the same name as a\.b\.ome\.tif but for the extension"):
        evaluate_folders(*folders)


def test_missing_and_empty_folders_are_told(folders, tmp_path):
    with pytest.raises(UserError, match="no such folder"):
        evaluate_folders(folders[0], tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no label images"):
        evaluate_folders(tmp_path / "empty", folders[1])
