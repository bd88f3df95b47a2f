"""napari's reader: a dataset, results, pairs or OME-Zarr folder that is dropped on the window."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from fewstain.images.read import stem
from fewstain.pair_folders import pair_folders
from fewstain.viewer.layers import LayerData, image_of, is_pairs, pair_layers, pyramid_layers
from fewstain.viewer.pyramid import open_levels
from fewstain.viewer.stage import faults_told
from fewstain.viewer.study import Study, is_study, locate

Reader = Callable[[str | Sequence[str]], list[LayerData]]


def get_reader(path: str | Sequence[str]) -> Reader | None:
    """Say whether a path is read here; napari asks this first.

    Parameters
    ----------
    path
        What was dropped; several at once are not read here.

    Returns
    -------
    function of the path that gives layers, or None for "not mine"
    """
    if not isinstance(path, str | Path):
        return None
    folder = Path(path)
    if not folder.is_dir():
        return None
    if is_pairs(folder):
        return lambda given: pair_layers(Path(str(given)))
    if folder.suffix == ".zarr":
        return lambda given: _zarr_layers(Path(str(given)))
    return read_folder if is_study(folder) else None


def read_folder(path: str | Sequence[str]) -> list[LayerData]:
    """Give the layers of the image to look at first: the first flagged one, else the most uncertain one.

    The other images are chosen in the widget "Look at objects". Synthetic pairs of results are added, hidden.
    """
    study = locate(str(path))
    name = first_image(study)
    return [*(image_of(study, name) if name else []), *_pairs_of(study)]


def _pairs_of(study: Study) -> list[LayerData]:
    layers: list[LayerData] = []
    for folder in filter(is_pairs, [] if study.results is None else pair_folders(study.results)):
        with faults_told():  # the image opens all the same
            layers += pair_layers(folder)
    return [(data, properties | {"visible": False}, kind) for data, properties, kind in layers]


def first_image(study: Study) -> str | None:
    """Choose the image to show first; None in a dataset without images."""
    table = None if study.results is None else study.results / "counts.csv"
    if table is not None and table.is_file():
        from fewstain.pixels.decisions import read_table

        counts = read_table(table)
        counts = counts[counts["image"].isin(list(study.images))]
        order = counts.sort_values(["look_at_this_one", "mean_uncertainty"], ascending=False, kind="stable")
        if len(order):
            return str(order["image"].iloc[0])
    return next(iter(study.images), None)


def _zarr_layers(path: Path) -> list[LayerData]:
    return pyramid_layers(open_levels(path) or [], stem(path.with_suffix("")), path)
