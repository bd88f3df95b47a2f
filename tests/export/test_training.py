"""Read back with tifffile and skimage.io, which Cellpose, StarDist and nnU-Net read by; and by StarDist's geometry."""

import json

import numpy as np
import pytest
import tifffile
from scipy import ndimage
from skimage import io
from skimage.draw import ellipse
from skimage.segmentation import expand_labels

from fewstain.errors import UserError
from fewstain.evaluate.matching import match
from fewstain.export.formats import Format
from fewstain.export.run import export_results
from fewstain.images.read import read_image
from fewstain.images.write import write_image, write_labels

from .conftest import LABELS, results_folder


def test_cellpose(results, tmp_path, pixels):
    export_results(results, Format.cellpose, tmp_path / "out")
    folder = tmp_path / "out" / "masks"
    # as cellpose.io pairs them: the name's last suffix cut off, "_masks.tif" added
    images = sorted(path for path in folder.iterdir() if not path.stem.endswith("_masks"))
    assert [path.name for path in images] == ["a.b.tif", "c.tif"]
    np.testing.assert_array_equal(tifffile.imread(images[0]), pixels)
    labels = tifffile.imread(images[0].with_name(images[0].stem + "_masks.tif"))
    np.testing.assert_array_equal(labels, LABELS)
    assert labels.dtype == np.uint16
    assert read_image(images[0]).pixel_size_um == pytest.approx(0.5)


def test_a_name_that_cellpose_takes_for_masks(results, tmp_path, pixels):
    write_image(tmp_path / "data" / "my stain" / "images" / "d_masks.tif", pixels)
    write_labels(results / "masks" / "d_masks.tif", LABELS)
    with pytest.raises(UserError, match=r"d_masks\.tif: Cellpose takes files ending in _masks for its own; rename"):
        export_results(results, Format.cellpose, tmp_path / "out")


@pytest.mark.parametrize("channels", [1, 2, 3, 5])
def test_stardist_has_channels_last(channels, tmp_path):
    pixels = np.arange(60 * channels, dtype=np.uint16).reshape(6, 10, channels)
    export_results(results_folder(tmp_path, pixels), Format.stardist, tmp_path / "out")
    folder = tmp_path / "out" / "masks"
    image = tifffile.imread(folder / "images" / "a.b.tif")
    np.testing.assert_array_equal(image, pixels[:, :, 0] if channels == 1 else pixels)
    np.testing.assert_array_equal(tifffile.imread(folder / "masks" / "a.b.tif"), LABELS)


def test_stardist_describes_convex_objects_of_a_mask(tmp_path):
    stardist = pytest.importorskip("stardist")
    labels = np.zeros((64, 64), int)
    for label, (row, column, height, width) in enumerate([(20, 20, 9, 9), (44, 20, 14, 7), (32, 46, 6, 15)], start=1):
        labels[ellipse(row, column, height, width)] = 10 * label
    results = results_folder(tmp_path, labels.astype(np.uint8))
    for name in ("a.b", "c"):
        write_labels(results / "masks" / f"{name}.tif", labels)
    export_results(results, Format.stardist, tmp_path / "out")
    mask = tifffile.imread(tmp_path / "out" / "masks" / "masks" / "a.b.tif")
    distances = stardist.star_dist(mask, n_rays=32)
    points = np.array([np.argwhere(mask == label).mean(axis=0).round().astype(int) for label in (10, 20, 30)])
    given_back = stardist.polygons_to_label(distances[tuple(points.T)], points, mask.shape)
    matched = match(mask, given_back, 0.8)
    assert (matched.tp, matched.fp, matched.fn) == (3, 0, 0)


def nnunet(root, pixels, rgb=None):
    export_results(results_folder(root, pixels, rgb=rgb), Format.nnunet, root / "out")
    (folder,) = (path for path in (root / "out").iterdir() if path.is_dir())
    assert folder.name == "Dataset501_my-stain-masks"
    return folder, json.loads((folder / "dataset.json").read_text())


def test_nnunet_rgb_is_one_file(tmp_path, pixels):
    folder, told = nnunet(tmp_path, pixels)
    assert sorted(path.name for path in (folder / "imagesTr").iterdir()) == ["a.b_0000.tif", "c_0000.tif"]
    np.testing.assert_array_equal(io.imread(folder / "imagesTr" / "a.b_0000.tif"), pixels)
    assert told == {
        "channel_names": {"0": "R", "1": "G", "2": "B"},
        "labels": {"background": 0, "border": 1, "interior": 2},
        "numTraining": 2,
        "file_ending": ".tif",
        "overwrite_image_reader_writer": "NaturalImage2DIO",
    }


def test_nnunet_has_a_file_a_channel(tmp_path):
    pixels = np.arange(180, dtype=np.uint16).reshape(6, 10, 3)
    folder, told = nnunet(tmp_path, pixels)
    for channel in range(3):
        image = io.imread(folder / "imagesTr" / f"a.b_{channel:04d}.tif")
        np.testing.assert_array_equal(image, pixels[:, :, channel])
    assert list(told["channel_names"]) == ["0", "1", "2"]


def test_nnunet_has_a_file_a_channel_of_three_that_are_not_rgb(tmp_path, pixels):
    folder, told = nnunet(tmp_path, pixels, rgb=False)
    np.testing.assert_array_equal(io.imread(folder / "imagesTr" / "a.b_0002.tif"), pixels[:, :, 2])
    assert list(told["channel_names"].values()) == ["channel 0", "channel 1", "channel 2"]


def test_nnunet_classes_and_the_way_back_to_instances(tmp_path, pixels):
    results = results_folder(tmp_path, pixels)
    labels = np.zeros((6, 10), int)
    labels[0:4, 1:5], labels[0:4, 5:9] = 7, 8
    labels[5, 9] = 9
    write_labels(results / "masks" / "a.b.tif", labels)
    (written,) = export_results(results, Format.nnunet, tmp_path / "out")
    classes = io.imread(written.folder / "labelsTr" / "a.b.tif")
    assert classes.tolist() == [
        [0, 1, 2, 2, 1, 1, 2, 2, 1, 0],
        [0, 1, 2, 2, 1, 1, 2, 2, 1, 0],
        [0, 1, 2, 2, 1, 1, 2, 2, 1, 0],
        [0, 1, 1, 1, 1, 1, 1, 1, 1, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 0, 0, 1],
    ]
    assert any(note.startswith("1 objects are too thin") for note in written.notes)
    # docs/export.md's way back
    seeds, count = ndimage.label(classes == 2)
    instances = expand_labels(seeds, 1.5) * (classes > 0)
    assert count == 2
    assert ((instances == 1) == (labels == 7)).all()
    assert ((instances == 2) == (labels == 8)).all()


def test_nnunet_refuses_other_channels(tmp_path, pixels):
    results = results_folder(tmp_path, pixels)
    write_image(tmp_path / "data" / "my stain" / "images" / "c.tif", pixels[:, :, 0])
    with pytest.raises(UserError, match=r"c\.tif: 1 channels of uint8, unlike the images before"):
        export_results(results, Format.nnunet, tmp_path / "out")
