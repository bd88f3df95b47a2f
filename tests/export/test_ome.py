"""OME-TIFF read by tifffile's OME parser, OME-Zarr by zarr and by ome-zarr-models' validation."""

import json

import numpy as np
import pytest
import tifffile
import zarr
from ome_zarr_models.v05.image import Image, ImageAttrs
from ome_zarr_models.v05.image_label import ImageLabelAttrs
from ome_zarr_models.v05.labels import LabelsAttrs

from fewstain.export.formats import Format
from fewstain.export.ome_zarr import write_levels
from fewstain.export.run import export_results

from .conftest import LABELS, results_folder


@pytest.mark.parametrize(("channels", "axes"), [(1, "YX"), (2, "CYX")])
def test_ome_tiff(channels, axes, tmp_path):
    pixels = np.arange(60 * channels, dtype=np.uint16).reshape(6, 10, channels)
    export_results(results_folder(tmp_path, pixels, size=None), Format.ome_tiff, tmp_path / "out")
    folder = tmp_path / "out" / "masks"
    with tifffile.TiffFile(folder / "images" / "a.b.ome.tif") as tif:
        assert tif.is_ome
        assert tif.series[0].axes == axes
        np.testing.assert_array_equal(tif.asarray(), pixels[:, :, 0] if channels == 1 else np.moveaxis(pixels, 2, 0))
        assert "PhysicalSizeX" not in tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
    with tifffile.TiffFile(folder / "labels" / "a.b.ome.tif") as tif:
        assert tif.is_ome
        np.testing.assert_array_equal(tif.asarray(), LABELS)


def test_three_channels_that_are_not_rgb_stay_channels(tmp_path, pixels):
    folder = results_folder(tmp_path, pixels, rgb=False)
    for name in (Format.ome_tiff, Format.ome_zarr):
        export_results(folder, name, tmp_path / name)
    with tifffile.TiffFile(tmp_path / "ome-tiff" / "masks" / "images" / "a.b.ome.tif") as tif:
        assert tif.series[0].axes == "CYX"
    group = zarr.open_group(str(tmp_path / "ome-zarr" / "masks" / "a.b.ome.zarr"), mode="r")
    assert "omero" not in group.attrs["ome"]


def test_ome_tiff_tells_the_pixel_size(results, tmp_path, pixels):
    export_results(results, Format.ome_tiff, tmp_path / "out")
    with tifffile.TiffFile(tmp_path / "out" / "masks" / "images" / "a.b.ome.tif") as tif:
        told = tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"]
        np.testing.assert_array_equal(tif.asarray(), pixels)
    assert (told["PhysicalSizeX"], told["PhysicalSizeY"], told["PhysicalSizeXUnit"]) == (0.5, 0.5, "µm")


def test_ome_zarr(results, tmp_path, pixels):
    export_results(results, Format.ome_zarr, tmp_path / "out")
    group = zarr.open_group(str(tmp_path / "out" / "masks" / "a.b.ome.zarr"), mode="r")
    np.testing.assert_array_equal(group["0"][...], np.moveaxis(pixels, 2, 0))
    np.testing.assert_array_equal(group["labels/objects/0"][...], LABELS)
    assert group["0"].metadata.dimension_names == ("c", "y", "x")
    image = ImageAttrs.model_validate(group.attrs["ome"]).multiscales[0]
    assert [(axis.name, axis.unit) for axis in image.axes] == [("c", None), ("y", "micrometer"), ("x", "micrometer")]
    assert image.datasets[0].coordinateTransformations[0].scale == [1.0, 0.5, 0.5]
    assert LabelsAttrs.model_validate(group["labels"].attrs["ome"]).labels == ["objects"]
    # not Image.from_zarr of the whole: version 1.6 stumbles over labels without colours, which are optional
    objects = ImageLabelAttrs.model_validate(group["labels/objects"].attrs["ome"])
    assert objects.image_label.source.image == "../../"
    assert objects.multiscales == Image.from_zarr(group["labels/objects"]).attributes.ome.multiscales


def test_ome_zarr_levels_halve_images_by_the_mean_and_labels_by_a_pixel(tmp_path):
    image = np.zeros((3, 600), np.uint8)
    image[0, :4], image[2, :2] = (10, 20, 30, 41), 8
    write_levels(tmp_path / "i", image, 0.5, {}, mean=True)
    write_levels(tmp_path / "l", image, None, {}, mean=False)
    group = zarr.open_group(str(tmp_path / "i"), mode="r")
    assert [group[level].shape for level in ("0", "1", "2")] == [(3, 600), (2, 300), (1, 150)]
    assert group["1"][:, :2].tolist() == [[8, 18], [8, 0]]  # (10+20)/4, (30+41)/4; the last row doubled
    labels = zarr.open_group(str(tmp_path / "l"), mode="r")
    assert labels["1"][:, :2].tolist() == [[10, 30], [8, 0]]
    levels = group.attrs["ome"]["multiscales"][0]["datasets"]
    assert [level["coordinateTransformations"] for level in levels[1:]] == [
        [{"type": "scale", "scale": [1.0, 1.0]}, {"type": "translation", "translation": [0.25, 0.25]}],
        [{"type": "scale", "scale": [2.0, 2.0]}, {"type": "translation", "translation": [0.75, 0.75]}],
    ]
    assert "unit" not in labels.attrs["ome"]["multiscales"][0]["axes"][0]
    assert "null" not in json.dumps(group.attrs["ome"])
