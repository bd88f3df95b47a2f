"""Files of other programs -> label files of a dataset: all of them, or none with a message for each fault."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from fewstain.check.numbering import NO_INSTANCES, NUMBER_THEM, are_no_instances, pieces_of_objects
from fewstain.dataset import CLASSES_FILE, by_stem, list_files, parse_window, read_classes, write_classes
from fewstain.errors import UserError
from fewstain.images.read import LABEL_EXTENSIONS, extension, image_size, read_labels, stem
from fewstain.images.write import write_labels
from fewstain.labels_import.geojson import read_geojson
from fewstain.labels_import.imagej import read_rois
from fewstain.labels_import.outlines import Drawn, draw

# What programs add to the image's name.
_ADDITIONS = ("_cp_masks", "_masks", "_mask", "_labels", "_label", "_RoiSet", "-RoiSet", "_rois", "_annotations")
MOST_LOST = 0.2  # share of the outlines; fewer are told in a note, more is a file that was not meant so
_PICKLES = (".npy", ".npz", ".pkl", ".pickle")


@dataclass(frozen=True)
class Imported:
    """One file that became a label file."""

    source: Path
    labels: Path
    n_objects: int
    notes: tuple[str, ...] = ()


def import_labels(
    files: Sequence[Path | str], out: Path | str, images_dir: Path | str | None = None, overwrite: bool = False
) -> list[Imported]:
    """Import label images, ImageJ ROIs and QuPath GeoJSON into the labels/ of a dataset.

    A file belongs to the image of the same name, what its program adds to it ("_cp_masks", "_RoiSet", ".geojson") cut
    off; or to a window of it, "<image>__y<row>_x<col>". Classes of GeoJSON go to labels/classes.csv. Rows that are
    there already stay where a label image has their label; others of a file that is imported go, and a note tells so.

    Parameters
    ----------
    files : sequence of Path
        TIFF or PNG masks (Cellpose's among them), .roi, .zip, .geojson or .json.
    out : Path
        The dataset folder.
    images_dir : Path, optional
        Where the images are; out/images when absent.
    overwrite : bool
        Replace label files that exist.

    Raises
    ------
    UserError
        One line a file at fault; then nothing is written.
    """
    out = Path(out)
    folder = Path(images_dir) if images_dir is not None else out / "images"
    images = by_stem(list_files(folder))
    faults: list[str] = []
    ready: dict[Path, tuple[Path, Drawn]] = {}
    for source in map(Path, files):
        try:
            name, drawn = _convert(source, images, folder)
            target = out / "labels" / f"{name}.tif"
            if target in ready:
                raise UserError(f"{source}: labels the same image as {ready[target][0].name}; import one of them")
            existing = [path for path in list_files(out / "labels", LABEL_EXTENSIONS) if stem(path) == name]
            if existing and not overwrite:
                raise UserError(f"{source}: {existing[0]} exists; remove it, or import with --overwrite")
            if any(path != target for path in existing):
                raise UserError(f"{source}: {existing[0]} labels this image already; remove it first")
            ready[target] = (source, drawn)
        except UserError as error:
            faults.append(str(error))
    if faults:
        raise UserError("\n".join(faults))
    classes = read_classes(out / "labels" / CLASSES_FILE)
    imported = []
    for target, (source, drawn) in ready.items():
        write_labels(target, drawn.labels)
        present = np.unique(drawn.labels[drawn.labels > 0]).tolist()
        classes[stem(target)], notes = _classes(drawn, present, classes.get(stem(target), {}))
        imported.append(Imported(source, target, len(present), (*drawn.notes, *notes)))
    if any(classes.values()) or (out / "labels" / CLASSES_FILE).exists():
        write_classes(out / "labels" / CLASSES_FILE, classes)
    return imported


def _classes(drawn: Drawn, present: Sequence[int], before: Mapping[int, str]) -> tuple[dict[int, str], tuple[str, ...]]:
    """Classes of labels that take the place of others, whose classes were `before`, and notes of those that go."""
    told = drawn.classes if drawn.renumbered else {label: before[label] for label in present if label in before}
    gone = len(before.items() - told.items())
    why = "the objects are numbered anew" if drawn.renumbered else "no object has their label"
    return told, (f"{gone} rows of {CLASSES_FILE} are removed: {why}",) if gone else ()


def _convert(source: Path, images: Mapping[str, Path], folder: Path) -> tuple[str, Drawn]:
    """Stem of the label file, and the labels."""
    suffix = source.suffix.lower()
    if suffix in _PICKLES:
        raise UserError(
            f"{source}: a pickle, which can run any program when opened, and so is never read; "
            "save the masks as TIFF instead (Cellpose: File > Save masks as PNG/tif, or --save_tif)"
        )
    if not source.is_file():
        raise UserError(f"{source}: no such file")
    outlines = {".roi": read_rois, ".zip": read_rois, ".geojson": read_geojson, ".json": read_geojson}.get(suffix)
    if outlines is None and extension(source) not in LABEL_EXTENSIONS:
        raise UserError(f"{source}: not a format that is imported; give TIFF or PNG masks, .roi, .zip or .geojson")
    name, (image, y, x) = _match(source, images, folder)
    if outlines is None:
        labels = read_labels(source)
        size = image_size(image)[:2]
        if name in images and labels.shape != size:
            raise UserError(
                f"{source}: masks of {labels.shape[0]} × {labels.shape[1]} for an image of {size[0]} × {size[1]}; "
                "a window is named <image>__y<row>_x<column>"
            )
        if y + labels.shape[0] > size[0] or x + labels.shape[1] > size[1]:
            raise UserError(f"{source}: the window reaches beyond {image.name}; correct the __y_x in its name")
        if are_no_instances(labels, pieces_of_objects(labels)):
            raise UserError(f"{source}: {NO_INSTANCES}; {NUMBER_THEM}")
        return name, Drawn(labels, {}, renumbered=False)
    if name not in images:
        raise UserError(f"{source}: outlines count from the image's corner; rename it to {stem(image)}{suffix}")
    found, notes = outlines(source)
    drawn = draw(found, image_size(image)[:2])
    _refuse_loss(source, len(found), drawn)
    return name, replace(drawn, notes=(*notes, *drawn.notes))


def _refuse_loss(source: Path, count: int, drawn: Drawn) -> None:
    """Raise where a good part of the outlines would be no objects: then one covers them, or they fit another image."""
    lost = drawn.covered + drawn.outside
    if lost > MOST_LOST * count:
        raise UserError(
            f"{source}: {lost} of {count} objects would be lost, {drawn.covered} that lie under earlier ones and "
            f"{drawn.outside} without a pixel in the image; delete outlines that enclose others (regions), and export "
            "at the image's full resolution"
        )


def _match(source: Path, images: Mapping[str, Path], folder: Path) -> tuple[str, tuple[Path, int, int]]:
    """Stem of the label file, the image it belongs to, and its top-left pixel (y, x) there."""
    name = stem(source) if extension(source) else source.stem
    candidates = [name, stem(name)]
    candidates += [stem(name[: -len(added)]) for added in _ADDITIONS if name.lower().endswith(added.lower())]
    for candidate in candidates:
        place = parse_window(candidate, images)
        if place is not None:
            return candidate, place
    raise UserError(f"{source}: no image of this name in {folder}; rename it as its image, or add the image")
