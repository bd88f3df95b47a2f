"""Outlines as GeoJSON (read by GEOS) and ROI files (read by roifile), drawn by matplotlib and by the import."""

import json

import numpy as np
import pytest
import roifile
import shapely
from matplotlib.path import Path as DrawnPath

from fewstain.errors import UserError
from fewstain.export.formats import Format
from fewstain.export.objects import each_object
from fewstain.export.outlines import outline, rings
from fewstain.export.run import export_results
from fewstain.export.samples import Sample
from fewstain.images.read import read_labels
from fewstain.labels_import import import_labels

from .conftest import LABELS


def filled(every_ring):
    """Pixels whose centres lie in an odd number of rings."""
    rows, columns = np.mgrid[: LABELS.shape[0], : LABELS.shape[1]] + 0.5
    points = np.stack([columns.ravel(), rows.ravel()], axis=1)
    inside = [DrawnPath(np.asarray(ring)).contains_points(points) for ring in every_ring]
    return np.logical_xor.reduce(inside).reshape(LABELS.shape)


def test_an_outline_runs_along_pixel_edges_and_has_corners_only():
    ring, _, _, single, diagonal = (outline(item) for item in each_object(LABELS))
    assert (ring.area, len(ring.interiors)) == (8, 1)
    assert single.equals(shapely.box(1, 4, 2, 5))
    assert [len(part) for part in rings(ring)] == [4, 4]
    assert shapely.get_num_geometries(diagonal) == 2
    assert all(shapely.is_valid(outline(item)) for item in each_object(LABELS))


def test_geojson_read_by_geos(results, tmp_path):
    (results / "measurements.csv").write_text("image,label,class\na.b,1,ring\n")
    export_results(results, Format.geojson, tmp_path / "out")
    path = tmp_path / "out" / "masks" / "a.b.geojson"
    shapes = shapely.from_geojson(path.read_text()).geoms
    features = json.loads(path.read_text())["features"]
    assert [feature["properties"]["name"] for feature in features] == ["1", "2", "3", "5", "6"]
    assert features[0]["properties"]["classification"] == {"name": "ring"}
    assert "classification" not in features[1]["properties"]
    assert features[1]["geometry"]["type"] == "MultiPolygon"
    for feature, shape in zip(features, shapes, strict=True):
        assert (filled(rings(shape)) == (int(feature["properties"]["name"]) == LABELS)).all()
    assert json.loads((path.parent / "c.geojson").read_text()) == {"type": "FeatureCollection", "features": []}


def test_imagej_read_by_roifile(results, tmp_path):
    export_results(results, Format.imagej, tmp_path / "out")
    rois = roifile.roiread(tmp_path / "out" / "masks" / "a.b_RoiSet.zip")
    assert [roi.name for roi in rois] == ["00001", "00002", "00003", "00005", "00006"]
    assert [roi.composite for roi in rois] == [True, True, False, False, True]
    for roi in rois:
        inside = int(roi.name) == LABELS
        every_ring = roi.coordinates(multi=True)
        assert (filled(every_ring if isinstance(every_ring, list) else [every_ring]) == inside).all()
        rows, columns = np.nonzero(inside)
        box = (rows.min(), columns.min(), rows.max() + 1, columns.max() + 1)
        assert (roi.top, roi.left, roi.bottom, roi.right) == box


@pytest.mark.parametrize(("kind", "name"), [(Format.geojson, "a.b.geojson"), (Format.imagej, "a.b_RoiSet.zip")])
def test_what_is_exported_can_be_imported_again_exactly(kind, name, results, tmp_path):
    export_results(results, kind, tmp_path / "out")
    data = tmp_path / "data" / "my stain"
    (imported,) = import_labels([tmp_path / "out" / "masks" / name], data)
    assert imported.notes == ()
    labels = read_labels(data / "labels" / "a.b.tif")
    for number, label in enumerate((1, 2, 3, 5, 6), start=1):
        assert ((labels == number) == (label == LABELS)).all()


def test_an_image_too_large_for_rois(tmp_path):
    from fewstain.export.imagej import ImageJ

    labels = np.zeros((1, 40000), np.int32)
    with pytest.raises(UserError, match=r"1 × 40000 pixels.*--format geojson"):
        ImageJ(tmp_path / "out").add(Sample("wide", tmp_path / "wide.tif", None), labels)
