import json
import shutil
import sys

import numpy as np
import pytest
import tifffile

from fewstain.cli import run as cli
from fewstain.errors import UserError
from fewstain.export.formats import Format, writer_of
from fewstain.export.objects import Tally
from fewstain.export.run import export_results
from fewstain.images.write import write_labels

from .conftest import LABELS


def names(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_masks_and_pairs_go_to_folders_of_their_own_and_a_record_tells_of_them(with_pairs, tmp_path):
    out = tmp_path / "new" / "cp"
    masks, pairs = export_results(with_pairs, Format.cellpose, out)
    assert (masks.folder, pairs.folder) == (out / "masks", out / "pairs")
    assert names(out) == [
        "fewstain-export.json",
        *("masks/a.b.tif", "masks/a.b_masks.tif", "masks/c.tif", "masks/c_masks.tif"),
        *("pairs/000001.tif", "pairs/000001_masks.tif"),
    ]
    told = json.loads((out / "fewstain-export.json").read_text())
    assert told["format"] == "cellpose"
    assert (told["folders"]["masks"]["images"], told["folders"]["masks"]["objects"]) == (2, 5)
    assert told["files"] == names(out)[1:]


def test_each_kind_of_pairs_goes_to_a_folder_of_its_own(with_pairs, tmp_path):
    shutil.copytree(with_pairs / "pairs", with_pairs / "pairs-10")
    shutil.copytree(with_pairs / "pairs", with_pairs / "pairs-2")
    (with_pairs / "pairs-old").mkdir()
    exported = export_results(with_pairs, Format.nnunet, tmp_path / "out")
    numbers = [each.folder.name.partition("_")[0] for each in exported]
    assert numbers == ["Dataset501", "Dataset502", "Dataset503", "Dataset511"]
    assert exported[2].folder.name.endswith("-pairs-2")


def test_objects_with_holes_and_in_pieces_are_counted_and_told(results, tmp_path):
    (masks,) = export_results(results, Format.stardist, tmp_path / "out")
    assert (masks.tally.in_pieces, masks.tally.with_holes) == (1, 1)
    assert [note.partition(":")[0] for note in masks.notes] == ["1 object in several pieces", "1 object with holes"]


def test_tally_of_gaps_and_nothing():
    tally = Tally()
    tally.add(np.zeros((3, 3), np.int32))
    tally.add(LABELS.astype(np.int32))
    assert (tally.images, tally.objects) == (2, 5)


def test_an_export_is_replaced_but_never_what_others_put_there(results, tmp_path):
    out = tmp_path / "out"
    export_results(results, Format.cellpose, out)
    export_results(results, Format.stardist, out)
    assert not (out / "masks" / "a.b_masks.tif").exists()
    (out / "masks" / "models").mkdir()
    (out / "masks" / "models" / "mine").write_text("hours of training")
    with pytest.raises(UserError, match=r"masks/models/mine.*did not write; move it away"):
        export_results(results, Format.stardist, out)
    assert (out / "masks" / "models" / "mine").exists()
    with pytest.raises(UserError, match="no part of an export; choose another folder"):
        export_results(results, Format.coco, results)
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="is a file"):
        export_results(results, Format.coco, tmp_path / "file")


def test_a_fault_leaves_the_earlier_export_and_no_half_one(results, tmp_path):
    out = tmp_path / "out"
    export_results(results, Format.cellpose, out)
    before = names(out)
    (results / "masks" / "c.tif").write_bytes(b"II*\0 broken")
    with pytest.raises(UserError, match=r"masks/c\.tif: no image in it"):
        export_results(results, Format.cellpose, out)
    assert names(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out", "results"]


def test_one_image_is_read_at_a_time(results, tmp_path, monkeypatch):
    """No pixels are read before those of the image before are written."""
    from fewstain.export import training
    from fewstain.export.samples import Sample

    order = []
    read, write = Sample.read_image, training.write_plain
    monkeypatch.setattr(Sample, "read_image", lambda self: order.append(f"read {self.name}") or read(self))
    monkeypatch.setattr(
        training,
        "write_plain",
        lambda path, *rest, **more: order.append(f"write {path.stem}") or write(path, *rest, **more),
    )
    export_results(results, Format.cellpose, tmp_path / "out")
    assert order == ["read a.b", "write a.b", "write a.b_masks", "read c", "write c", "write c_masks"]


def test_a_moved_dataset_is_told_and_found_with_data(results, tmp_path):
    (tmp_path / "data").rename(tmp_path / "moved")
    with pytest.raises(UserError, match=r"no longer is; give its folder with --data"):
        export_results(results, Format.coco, tmp_path / "out")
    export_results(results, Format.coco, tmp_path / "out", tmp_path / "moved" / "my stain")
    export_results(results, Format.geojson, tmp_path / "outlines")  # needs no images
    with pytest.raises(UserError, match=r"--data .*nowhere: no images/ in it; give data/<dataset>"):
        export_results(results, Format.geojson, tmp_path / "other", tmp_path / "nowhere")


def test_images_without_mask_and_other_sizes(results, tmp_path):
    (results / "masks" / "c.tif").unlink()
    (masks,) = export_results(results, Format.coco, tmp_path / "out")
    assert masks.notes[0] == "1 of 2 images have no mask yet and are left out"
    write_labels(results / "masks" / "a.b.tif", LABELS[:5])
    with pytest.raises(UserError, match=r"a\.b\.tif: 5 × 10 pixels, but .*a\.b\.tif has 6 × 10"):
        export_results(results, Format.geojson, tmp_path / "out2")


def test_masks_of_removed_images_are_left_out(results, tmp_path):
    images = tmp_path / "data" / "my stain" / "images"
    (images / "c.tif").unlink()
    (masks,) = export_results(results, Format.stardist, tmp_path / "out")
    assert masks.notes[0] == f"1 of 2 masks have no image in {images} and are left out: c"
    assert [path.name for path in (tmp_path / "out" / "masks" / "masks").iterdir()] == ["a.b.tif"]
    (images / "a.b.tif").rename(images / "z.tif")
    with pytest.raises(UserError, match=r"masks: no image in .*images for a\.b, c; --data"):
        export_results(results, Format.stardist, tmp_path / "out")


def test_nothing_to_export(results, tmp_path):
    shutil.rmtree(results / "masks")
    with pytest.raises(UserError, match="neither masks/ nor pairs/ in it; run"):
        export_results(results, Format.coco, tmp_path / "out")
    with pytest.raises(UserError, match="no such results folder"):
        export_results(tmp_path / "absent", Format.coco, tmp_path / "out")


def test_pairs_alone_need_no_dataset(with_pairs, tmp_path):
    shutil.rmtree(with_pairs / "masks")
    shutil.rmtree(tmp_path / "data")
    (pairs,) = export_results(with_pairs, Format.stardist, tmp_path / "out")
    assert pairs.tally.images == 1
    (with_pairs / "pairs" / "images" / "000001.tif").unlink()
    with pytest.raises(UserError, match="for 000001; run `fewstain pairs` again"):
        export_results(with_pairs, Format.stardist, tmp_path / "out")


def test_masks_that_were_removed_are_told(with_pairs, tmp_path):
    shutil.rmtree(with_pairs / "masks")
    (with_pairs / "counts.csv").write_text("image,objects\na.b,5\n")
    (pairs,) = export_results(with_pairs, Format.stardist, tmp_path / "out")
    assert pairs.notes[0] == (
        f"{with_pairs / 'counts.csv'} counts masks, but none are in masks/, so only synthetic pairs are exported; "
        "`snakemake --cores all --forcerun segment_pool` makes them again"
    )
    shutil.rmtree(with_pairs / "pairs")
    with pytest.raises(UserError, match=r"neither masks/ nor pairs/ in it; run `snakemake --cores all --forcerun segm"):
        export_results(with_pairs, Format.stardist, tmp_path / "out")


def test_a_package_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.delitem(sys.modules, "fewstain.export.coco", raising=False)
    monkeypatch.setitem(sys.modules, "pycocotools", None)
    with pytest.raises(UserError, match=r"--format coco: needs .*pip install .*\.\[export\]"):
        writer_of(Format.coco)


@pytest.mark.parametrize("kind", list(Format))
def test_every_format_from_the_command_line_with_masks_of_an_empty_image(kind, with_pairs, tmp_path, capsys):
    out = tmp_path / "out"
    assert cli.run(["export", str(with_pairs), "--format", kind.value, "--out", str(out)]) == 0
    text = capsys.readouterr().err
    assert "2 images, 5 objects" in text
    assert "1 object with holes" in text
    assert cli.run(["export", str(with_pairs), "--format", kind.value, "--out", str(out)]) == 0


def test_pixel_size_of_the_file_wins_over_the_record_and_that_over_the_option(results, tmp_path, pixels):
    from fewstain.images.write import write_image
    from fewstain.provenance import write_record

    data = tmp_path / "data" / "my stain"
    write_image(data / "images" / "c.tif", pixels, 0.25)
    export_results(results, Format.ome_tiff, tmp_path / "out", pixel_size_um=2.0)

    def sizes(name):
        with tifffile.TiffFile(tmp_path / "out" / "masks" / "labels" / f"{name}.ome.tif") as tif:
            return tifffile.xml2dict(tif.ome_metadata)["OME"]["Image"]["Pixels"].get("PhysicalSizeX")

    assert (sizes("a.b"), sizes("c")) == (0.5, 0.25)
    write_record(results / "dataset.json", data, {}, None)
    export_results(results, Format.ome_tiff, tmp_path / "out", pixel_size_um=2.0)
    assert (sizes("a.b"), sizes("c")) == (2.0, 0.25)


@pytest.mark.parametrize(("options", "exported"), [((), 7), (("--predicted",), 5)])
def test_corrected_masks_take_the_place_of_predicted_ones_unless_asked_otherwise(
    results, tmp_path, capsys, options, exported
):
    write_labels(results / "corrected" / "a.b.tif", np.where(LABELS == 5, 7, LABELS))
    write_labels(results / "corrected" / "removed.tif", LABELS)
    out = tmp_path / "out"
    assert cli.run(["export", str(results), "--format", "ome-tiff", "--out", str(out), *options]) == 0
    written = tifffile.imread(out / "masks" / "labels" / "a.b.ome.tif")
    assert written[4, 1] == exported
    told = "as predicted, though there are corrections" if options else "a.b: as corrected"
    assert told in capsys.readouterr().err
