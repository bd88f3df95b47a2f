"""A corrected mask, copied to the labels that the next run learns from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from fewstain.dataset import CLASSES_FILE, read_classes, write_classes
from fewstain.images.read import read_labels
from fewstain.images.write import write_labels
from fewstain.viewer.study import Study


def copy_to_labels(study: Study, image: str, class_of_label: Mapping[int, str]) -> Path:
    """Copy the corrected mask of an image to the dataset's labels, and its classes where the labels have some.

    Objects that were drawn have no class; `fewstain check` names them.

    Parameters
    ----------
    class_of_label
        Of the mask's objects; those of others are left out.

    Returns
    -------
    Path
        The label file.

    Raises
    ------
    UserError
        A mask or a table of classes that can't be read, before anything is written; labels that can't be written.
    """
    labels = read_labels(study.corrected(image))
    target = study.data / "labels" / f"{image}.tif"
    table = target.parent / CLASSES_FILE
    classes = read_classes(table)
    write_labels(target, labels)
    if classes:
        present = set(np.unique(labels).tolist())
        classes[image] = {label: kind for label, kind in class_of_label.items() if label in present}
        write_classes(table, classes)
    return target
