import numpy as np
import pytest
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

from fewstain.export.coco import run_lengths
from fewstain.export.formats import Format
from fewstain.export.objects import each_object
from fewstain.export.run import export_results

from .conftest import LABELS


def test_read_by_pycocotools(results, tmp_path):
    (results / "measurements.csv").write_text("image,label,class\na.b,1,ring\na.b,2,\n")
    export_results(results, Format.coco, tmp_path / "out")
    folder = tmp_path / "out" / "masks"
    coco = COCO(str(folder / "annotations.json"))
    (image,) = (image for image in coco.dataset["images"] if image["file_name"] == "a.b.tif")
    assert (image["height"], image["width"], image["pixel_size_um"]) == (6, 10, 0.5)
    assert (folder / "images" / "a.b.tif").read_bytes() == (
        tmp_path / "data" / "my stain" / "images" / "a.b.tif"
    ).read_bytes()
    found = coco.loadAnns(coco.getAnnIds(imgIds=image["id"]))
    labels = np.zeros((6, 10), int)
    for annotation in found:
        mask = coco.annToMask(annotation).astype(bool)
        labels[mask] = annotation["label"]
        assert annotation["area"] == mask.sum()
    np.testing.assert_array_equal(labels, LABELS)
    assert found[0]["bbox"] == [0, 0, 3, 3]
    names = [coco.loadCats(annotation["category_id"])[0]["name"] for annotation in found]
    assert names == ["ring", "object", "object", "object", "object"]
    assert len(coco.getImgIds()) == 2


@pytest.mark.parametrize("labels", [LABELS, LABELS[::-1, ::-1], np.ones((3, 4), int), np.eye(4, dtype=int)])
def test_run_lengths_are_those_of_the_whole_mask(labels):
    for item in each_object(labels):
        whole = coco_mask.encode(np.asfortranarray(labels == item.label, np.uint8))
        assert run_lengths(item, labels.shape) == whole
