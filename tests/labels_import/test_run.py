import json
import zipfile

import numpy as np
import pytest
import roifile
import tifffile
from PIL import Image as Pillow

from fewstain.dataset import read_classes
from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.labels_import import import_labels

SQUARE = [[1, 1], [1, 4], [4, 4], [4, 1]]


@pytest.fixture
def out(tmp_path):
    (tmp_path / "set" / "images").mkdir(parents=True)
    for name in ("a", "b.c"):
        tifffile.imwrite(tmp_path / "set" / "images" / f"{name}.tif", np.zeros((8, 10), np.uint8))
    return tmp_path / "set"


def roi(points, **values):
    made = roifile.ImagejRoi.frompoints(np.array(points))
    for key, value in values.items():
        setattr(made, key, value)
    return made.tobytes()


def zipped(path, *members):
    with zipfile.ZipFile(path, "w") as archive:
        for index, member in enumerate(members):
            archive.writestr(f"../{index}.roi", member)
    return path


def labels_of(out, name="a"):
    return read_labels(out / "labels" / f"{name}.tif")


def square(value=1):
    labels = np.zeros((8, 10), int)
    labels[1:4, 1:4] = value
    return labels


def test_imagej_zip(out, tmp_path):
    source = zipped(tmp_path / "a_RoiSet.zip", roi(SQUARE), roi([[6, 2], [6, 6], [9, 6], [9, 2]]))
    (imported,) = import_labels([source], out)
    expected = square()
    expected[2:6, 6:9] = 2
    np.testing.assert_array_equal(labels_of(out), expected)
    assert (imported.n_objects, imported.notes) == (2, ())
    assert not (out / "labels" / "classes.csv").exists()


def test_imagej_oval_and_rectangle(out, tmp_path):
    oval = roifile.ImagejRoi()
    oval.version, oval.roitype = 228, roifile.ROI_TYPE.OVAL
    oval.top, oval.left, oval.bottom, oval.right = 0, 0, 4, 4
    box = roifile.ImagejRoi()
    box.version, box.roitype = 228, roifile.ROI_TYPE.RECT
    box.top, box.left, box.bottom, box.right = 5, 5, 7, 9
    import_labels([zipped(tmp_path / "a.zip", oval.tobytes(), box.tobytes())], out)
    labels = labels_of(out)
    assert (labels[:4, :4] == 1).tolist() == [
        [False, True, True, False],
        [True, True, True, True],
        [True, True, True, True],
        [False, True, True, False],
    ]
    assert (labels[5:7, 5:9] == 2).all()
    assert (labels == 2).sum() == 8


def test_a_mask_of_the_foreground_is_refused(out, tmp_path):
    mask = square(255)
    mask[5:7, 6:9] = 255
    tifffile.imwrite(tmp_path / "a_mask.tif", mask.astype(np.uint8))
    with pytest.raises(
        UserError, match=r"a_mask\.tif: looks like a mask .*, not one number per object; number the obj"
    ):
        import_labels([tmp_path / "a_mask.tif"], out)
    assert not (out / "labels").exists()


def test_overlaps_lines_and_lost_objects_are_told(out, tmp_path):
    line = roifile.ImagejRoi()
    line.version, line.roitype = 228, roifile.ROI_TYPE.LINE
    far = [[20, 20], [20, 25], [25, 25]]
    shifted = [[3, 1], [3, 4], [6, 4], [6, 1]]
    more = [roi([[x, 6], [x, 7], [x + 1, 7], [x + 1, 6]]) for x in range(0, 6, 2)]
    source = zipped(tmp_path / "a.zip", roi(SQUARE), roi(far), roi(shifted), *more, line.tobytes())
    (imported,) = import_labels([source], out)
    expected = square()
    expected[1:4, 4:6] = 2
    expected[6, [0, 2, 4]] = 3, 4, 5
    np.testing.assert_array_equal(labels_of(out), expected)
    assert imported.notes == (
        "1 ROIs without an area (points, lines) are left out",
        "1 objects overlap earlier ones by 3 pixels in all, which the earlier keep",
        "1 objects have no pixel of their own inside the image and are left out",
    )


def test_rois_of_several_planes_are_refused(out, tmp_path):
    source = zipped(tmp_path / "a.zip", roi(SQUARE, position=1), roi(SQUARE, position=2))
    with pytest.raises(UserError, match=r"a\.zip: ROIs on 2 planes"):
        import_labels([source], out)


def feature(kind, coordinates, classification=None):
    properties = {"classification": {"name": classification}} if classification else {}
    return {"type": "Feature", "geometry": {"type": kind, "coordinates": coordinates}, "properties": properties}


def test_geojson_holes_parts_and_classes(out, tmp_path):
    ring = [[0, 0], [5, 0], [5, 5], [0, 5], [0, 0]]
    hole = [[1, 1], [4, 1], [4, 4], [1, 4], [1, 1]]
    parts = [[[[6, 0], [7, 0], [7, 1], [6, 1], [6, 0]]], [[[8, 0], [9, 0], [9, 1], [8, 1], [8, 0]]]]
    content = {
        "type": "FeatureCollection",
        "features": [
            feature("Polygon", [ring, hole], "tumour"),
            feature("MultiPolygon", parts),
            feature("Point", [1, 1]),
        ],
    }
    source = tmp_path / "b.c.tif.geojson"
    source.write_text(json.dumps(content))
    (imported,) = import_labels([source], out)
    expected = np.zeros((8, 10), int)
    expected[:5, :5] = 1
    expected[1:4, 1:4] = 0
    expected[0, [6, 8]] = 2
    np.testing.assert_array_equal(labels_of(out, "b.c"), expected)
    assert imported.notes == ("1 objects without an area (points, lines) are left out",)
    assert read_classes(out / "labels" / "classes.csv") == {"b.c": {1: "tumour"}}


def cells(kind, n=100):
    """Squares of 2 x 2 pixels in a 20 x 50 image, as QuPath tells what they are."""
    found, box = [], np.array([[0, 0], [2, 0], [2, 2], [0, 2], [0, 0]])
    for number in range(n):
        row, column = divmod(number, 10)
        corner = np.array([column * 5 + 1, row * 2])
        each = feature("Polygon", [(corner + box).tolist()], "tumour")
        each["properties"] |= {"objectType": kind} if kind else {}
        found.append(each)
    return found


def region(**more):
    """Around all cells."""
    return feature("Polygon", [[[0, 0], [50, 0], [50, 20], [0, 20], [0, 0]]]) | more


@pytest.fixture
def slide(out, tmp_path):
    """Write features as those of a 20 x 50 image."""

    def write(*features):
        tifffile.imwrite(out / "images" / "slide.tif", np.zeros((20, 50), np.uint8))
        source = tmp_path / "slide.geojson"
        source.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
        return source

    return write


@pytest.mark.parametrize("kind", ["detection", "cell"])
@pytest.mark.parametrize("more", [{"properties": {"objectType": "annotation"}}, {"id": "PathAnnotationObject"}])
@pytest.mark.parametrize("first", [True, False])
def test_a_region_around_detections_is_no_object(out, slide, kind, more, first):
    features = [region(**more), *cells(kind)] if first else [*cells(kind), region(**more)]
    (imported,) = import_labels([slide(*features)], out)
    labels = labels_of(out, "slide")
    assert imported.n_objects == labels.max() == 100
    assert (np.bincount(labels.ravel())[1:] == 4).all()
    assert imported.notes == ("1 annotations with cells or detections in them are left out, as regions",)


def test_annotations_beside_detections_are_objects(out, slide):
    drawn = cells("annotation", 3)
    (imported,) = import_labels([slide(*drawn, *cells("detection")[3:])], out)
    assert (imported.n_objects, imported.notes) == (100, ())


@pytest.mark.parametrize("kind", ["annotation", None])
def test_a_file_most_of_whose_objects_would_be_lost_is_refused(out, slide, kind):
    with pytest.raises(
        UserError, match=r"slide\.geojson: 100 of 101 objects would be lost, 100 that lie under earlier"
    ):
        import_labels([slide(region(), *cells(kind))], out)
    assert not (out / "labels").exists()


def test_outlines_of_a_larger_image_are_refused(out, slide):
    far = [feature("Polygon", [[[99, 99], [120, 99], [120, 120], [99, 99]]])] * 30
    with pytest.raises(
        UserError, match="30 of 130 objects would be lost, 0 that lie under earlier ones and 30 without"
    ):
        import_labels([slide(*cells(None), *far)], out)


def test_cellpose_masks(out, tmp_path):
    Pillow.fromarray(square(300).astype(np.uint16)).save(tmp_path / "a_cp_masks.png")
    import_labels([tmp_path / "a_cp_masks.png"], out)
    np.testing.assert_array_equal(labels_of(out), square(300))


def write_classes(out, *rows):
    (out / "labels").mkdir()
    (out / "labels" / "classes.csv").write_text("\n".join(["file,label,class", *rows]) + "\n")


def test_classes_of_labels_that_masks_keep_are_kept(out, tmp_path):
    write_classes(out, "a,1,stroma", "a,2,stroma", "a,7,tumour", "b.c,1,tumour")
    tifffile.imwrite(tmp_path / "a_masks.tif", square(7).astype(np.uint16))
    (imported,) = import_labels([tmp_path / "a_masks.tif"], out)
    assert imported.notes == ("2 rows of classes.csv are removed: no object has their label",)
    assert read_classes(out / "labels" / "classes.csv") == {"a": {7: "tumour"}, "b.c": {1: "tumour"}}
    (again,) = import_labels([tmp_path / "a_masks.tif"], out, overwrite=True)
    assert again.notes == ()


def test_classes_of_outlines_take_the_place_of_what_was_there(out, tmp_path):
    write_classes(out, "a,1,stroma", "b.c,1,tumour", "b.c,2,stroma")
    rings = ([SQUARE], [[[6, 4], [6, 6], [9, 6], [9, 4]]])
    features = [feature("Polygon", ring, "tumour") for ring in rings]
    (tmp_path / "b.c.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    imported = import_labels([zipped(tmp_path / "a.zip", roi(SQUARE)), tmp_path / "b.c.geojson"], out)
    assert [item.notes for item in imported] == [
        ("1 rows of classes.csv are removed: the objects are numbered anew",)
    ] * 2
    assert read_classes(out / "labels" / "classes.csv") == {"b.c": {1: "tumour", 2: "tumour"}}


def test_masks_of_a_window(out, tmp_path):
    tifffile.imwrite(tmp_path / "a__y2_x3_masks.tif", np.ones((4, 4), np.uint8))
    import_labels([tmp_path / "a__y2_x3_masks.tif"], out)
    assert labels_of(out, "a__y2_x3").shape == (4, 4)


def test_a_window_that_reaches_beyond_its_image_is_refused(out, tmp_path):
    tifffile.imwrite(tmp_path / "a__y6_x3_masks.tif", np.ones((4, 4), np.uint8))
    with pytest.raises(UserError, match=r"a__y6_x3_masks\.tif: the window reaches beyond a\.tif; correct the __y_x"):
        import_labels([tmp_path / "a__y6_x3_masks.tif"], out)


def test_images_of_one_name_are_told(out, tmp_path):
    (out / "images" / "a.png").touch()
    with pytest.raises(UserError, match="has the same name as"):
        import_labels([zipped(tmp_path / "a.zip", roi(SQUARE))], out)


def test_a_pickle_is_never_opened(out, tmp_path):
    class Trap:
        def __reduce__(self):
            return exec, ("raise SystemExit('unpickled')",)

    np.save(tmp_path / "a_seg.npy", np.array([Trap()], object), allow_pickle=True)
    with pytest.raises(UserError, match=r"a_seg\.npy: a pickle.*save the masks as TIFF"):
        import_labels([tmp_path / "a_seg.npy"], out)


def test_all_faults_are_told_and_nothing_is_written(out, tmp_path):
    good = zipped(tmp_path / "a.zip", roi(SQUARE))
    (tmp_path / "b.c.geojson").write_text('{"type": "Polygon"}')
    (tmp_path / "b.c.roi").write_bytes(b"Iout")
    (tmp_path / "stranger.png").write_bytes(b"")
    tifffile.imwrite(tmp_path / "b.c_masks.tif", np.ones((3, 3), np.uint8))
    names = ("b.c.geojson", "b.c.roi", "stranger.png", "b.c_masks.tif", "absent.tif", "b.c.txt")
    (tmp_path / "b.c.txt").write_text("")
    with pytest.raises(UserError) as raised:
        import_labels([good, *(tmp_path / name for name in names)], out)
    lines = str(raised.value).splitlines()
    assert [line.split(": ")[0] for line in lines] == [str(tmp_path / name) for name in names]
    assert not (out / "labels").exists()


def test_existing_labels_are_kept_unless_told(out, tmp_path):
    source = zipped(tmp_path / "a.zip", roi(SQUARE))
    import_labels([source], out)
    with pytest.raises(UserError, match="exists; remove it, or import with --overwrite"):
        import_labels([source], out)
    import_labels([source], out, overwrite=True)


def test_images_elsewhere(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((8, 10), np.uint8))
    import_labels([zipped(tmp_path / "a.zip", roi(SQUARE))], tmp_path / "set", images_dir=tmp_path)
    np.testing.assert_array_equal(labels_of(tmp_path / "set"), square())
