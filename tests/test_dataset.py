from pathlib import Path

import numpy as np
import pytest
import tifffile

from fewstain.dataset import TestImage, has_braces, label_pieces, open_dataset, parse_window, read_classes, window_name
from fewstain.errors import UserError


def touch(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        tifffile.imwrite(path, np.zeros((4, 4), np.uint8))


def test_a_folder_becomes_records_sorted_by_name(tmp_path):
    touch(tmp_path, "images/b.tif", "images/a.b.ome.tif", "images/.hidden.tif")
    touch(
        tmp_path,
        "labels/b.tif",
        "labels/a.b__y3_x12.tif",
        "test/images/t.tif",
        "test/images/u.tif",
        "test/labels/t.tif",
    )
    dataset = open_dataset(tmp_path)
    assert [path.name for path in dataset.images] == ["a.b.ome.tif", "b.tif"]
    assert [(w.name, w.image.name, w.y, w.x) for w in dataset.windows] == [
        ("a.b__y3_x12", "a.b.ome.tif", 3, 12),
        ("b", "b.tif", 0, 0),
    ]
    test = tmp_path / "test"
    assert dataset.test == (
        TestImage(test / "images/t.tif", test / "labels/t.tif"),
        TestImage(test / "images/u.tif", None),
    )


def test_an_image_may_be_named_like_a_window(tmp_path):
    images = {"a": Path("a.tif"), "a__y1_x2": Path("a__y1_x2.tif")}
    assert parse_window("a__y1_x2", images) == (images["a__y1_x2"], 0, 0)
    assert parse_window(window_name("a__y1_x2", 5, 6), images) == (images["a__y1_x2"], 5, 6)
    assert parse_window("a__y7_x8", images) == (images["a"], 7, 8)
    assert parse_window("a__y-7_x8", images) is None


@pytest.mark.parametrize(
    ("names", "told"),
    [
        ((), "no such dataset folder"),
        (("labels/a.tif",), "no images"),
        (("images/a.tif", "labels/b.tif"), r"b\.tif: no image of this name"),
        (("images/a.tif", "images/a.png"), "same name as a.png but for the extension"),
        (("images/A.png", "images/a.tif"), "same name as A.png but for the extension or capitals; rename one"),
        (("images/a.tif", "labels/A.png", "labels/a.tif"), "same name as A.png"),
        (("images/a.tif", "test/labels/t.tif"), r"t\.tif: no image of this name"),
    ],
)
def test_faults_of_the_folder(tmp_path, names, told):
    touch(tmp_path / "set", *names)
    with pytest.raises(UserError, match=told):
        open_dataset(tmp_path / "set")


def test_the_remedy_for_an_absent_folder_makes_it(tmp_path):
    with pytest.raises(UserError, match=r"cells: no such dataset folder; make it with `fewstain init .*data.cells`"):
        open_dataset(tmp_path / "data" / "cells")
    with pytest.raises(UserError, match=r"cells: no such dataset folder; make the folder .*cells.images and put"):
        open_dataset(tmp_path / "cells")


def test_braces_in_names_of_files():
    assert [has_braces(name) for name in ("img {1}.tif", "a}.tif", "{x}/a.tif", "a.tif")] == [True, True, False, False]


def test_classes(tmp_path):
    path = tmp_path / "classes.csv"
    assert read_classes(path) == {}
    path.write_text("file,label,class\na.b.tif,1,tumour\na.b.tif, 2, stroma\nc,1,tumour\n")
    assert read_classes(path) == {"a.b": {1: "tumour", 2: "stroma"}, "c": {1: "tumour"}}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("label,class\n1,a\n", "no columns file,label,class"),
        ("file,label,class\na,0,x\n", "line 2: label '0'"),
        ("file,label,class\na,1,x\na,1,y\n", "line 3: label 1 has two classes"),
        ("file,label,class\na,1\n", "line 2: an empty file or class"),
    ],
)
def test_faults_of_classes(tmp_path, text, told):
    (tmp_path / "classes.csv").write_text(text)
    with pytest.raises(UserError, match=told):
        read_classes(tmp_path / "classes.csv")


@pytest.mark.parametrize(
    ("size", "sides"),
    [
        ((128, 128), ([128], [128])),
        ((256, 256), ([256], [256])),
        ((257, 40), ([128, 129], [40])),
        ((1040, 1388), ([208] * 5, [231, 231, 232, 231, 231, 232])),
    ],
)
def test_large_labels_are_cut_into_pieces_that_cover_them_once(size, sides):
    pieces = label_pieces(*size)
    assert [rows.stop - rows.start for rows, columns in pieces if columns.start == 0] == sides[0]
    assert [columns.stop - columns.start for rows, columns in pieces if rows.start == 0] == sides[1]
    covered = np.zeros(size, int)
    for piece in pieces:
        covered[piece] += 1
    assert (covered == 1).all()
