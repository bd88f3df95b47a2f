"""The table of all objects of a results folder: as predicted, or as in the corrected masks, with what was decided."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pandas as pd

from fewstain.pixels.carried import model_of
from fewstain.pixels.decisions import CORRECTED, DECISION, Decision, read_objects


def read_decided(results: Path, images: Collection[str]) -> tuple[pd.DataFrame, dict[str, str]]:
    """Read measurements.csv, with the tables of corrected/ in place of the rows of images that were corrected.

    Parameters
    ----------
    results
        The results folder.
    images
        Stems of the images there are; objects of others are left out.

    Returns
    -------
    table
        The columns of measurements.csv and `decision`, index 0..n-1.
    models
        Image -> hash of the model that found its objects, "" where that is not known.

    Raises
    ------
    UserError
        A table that cannot be read.
    """
    predicted = read_objects(results / "measurements.csv").assign(**{DECISION: Decision.OPEN.value})
    models = {image: model_of(predicted, image) for image in images}
    kept, corrected = predicted, []
    for path in sorted((results / CORRECTED).glob("*.csv")):
        if path.stem in images and path.with_suffix(".tif").is_file():
            kept = kept[kept["image"] != path.stem]
            corrected.append(read_objects(path).reindex(columns=predicted.columns))
    joined = pd.concat([kept, *corrected], ignore_index=True)
    joined[DECISION] = joined[DECISION].fillna(Decision.OPEN.value)
    return joined[joined["image"].isin(list(images))].reset_index(drop=True), models
