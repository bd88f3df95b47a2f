"""Pictures of synthetic pairs: those kept, those dropped and why, and real images beside painted ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray
from skimage.segmentation import find_boundaries

from fewstain.dataset import list_files, open_dataset
from fewstain.errors import UserError
from fewstain.images.read import Image, read_image, read_labels, stem
from fewstain.pairs.filters import COVERED, EMPTY, ODD_OBJECTS
from fewstain.report.figures import PREDICTED, to_rgb
from fewstain.storage import atomic_path

USUAL_SCORES = {"agreement": "agr.", "uncertainty": "unc.", "distance": "dist.", "copy": "copy"}
SCORE_BY_FILTER = {EMPTY: ("objects", "obj."), ODD_OBJECTS: ("plausible", "plaus."), COVERED: ("covered", "cov.")}
SHOWN, COLUMNS = 8, 4
PANEL = 2.0  # inches


def write_pair_pictures(pairs: Path, data: Path, out: Path) -> list[Path]:
    """Write out/kept.png, out/dropped.png, where any were, and out/real and synthetic.png.

    Parameters
    ----------
    pairs
        What `fewstain pairs` wrote.
    data
        The dataset's folder.
    out
        Folder for the pictures.

    Raises
    ------
    UserError
        No pairs.csv there, or a file that is missing or damaged.
    """
    if not (pairs / "pairs.csv").is_file():
        raise UserError(f"{pairs / 'pairs.csv'}: no such file; run `fewstain pairs` first")
    rows = pd.read_csv(pairs / "pairs.csv", keep_default_na=False).set_index("pair")
    figures = {}
    for name, folder in (("kept", pairs), ("dropped", pairs / "dropped")):
        files = list_files(folder / "images")
        chosen = [files[index] for index in spread(len(files), SHOWN)]
        if chosen:
            panels = [(read_image(path), read_labels(folder / "labels" / path.name)) for path in chosen]
            figures[name] = pairs_figure(panels, [caption(dict(rows.loc[stem(path)])) for path in chosen])
    painted = [read_image(path) for path in list_files(pairs / "images")[:SHOWN]]
    real = real_crops(open_dataset(data).images, [each.pixels.shape[:2] for each in painted])
    figures["real and synthetic"] = rows_figure({"real": real, "synthetic": painted})
    written = []
    for name, figure in figures.items():
        with atomic_path(out / f"{name}.png") as temporary:
            figure.savefig(temporary)
        written.append(out / f"{name}.png")
    return written


def spread(available: int, wanted: int) -> list[int]:
    """Choose at most so many numbers from 0 on, evenly."""
    return sorted({int(each) for each in np.linspace(0, available - 1, min(available, wanted))}) if available else []


def caption(row: Mapping[str, object]) -> str:
    """Tell the scores of a pair, and why it was dropped, with the score that it was dropped by."""
    why = str(row["why"])
    scores = dict([SCORE_BY_FILTER[why]] if why in SCORE_BY_FILTER else []) | USUAL_SCORES
    told = " ".join(
        f"{short} {float(str(row[name])):{'.0f' if name == 'objects' else '.2f'}}"
        for name, short in scores.items()
        if row[name] != ""
    )
    return f"{why}\n{told}" if why else told


def pairs_figure(pairs: Sequence[tuple[Image, NDArray[np.integer]]], captions: Sequence[str]) -> Figure:
    """Draw each pair's layout, and beside it the image with its outlines; the caption is above."""
    columns = min(COLUMNS, len(pairs))
    rows = -(-len(pairs) // columns)
    figure = Figure(figsize=(2 * PANEL * columns, (PANEL + 0.45) * rows), dpi=100, layout="constrained")
    axes = np.atleast_2d(figure.subplots(rows, 2 * columns, squeeze=False))
    for each in axes.flat:
        each.set_axis_off()
    for number, ((image, labels), text) in enumerate(zip(pairs, captions, strict=True)):
        row, column = number // columns, 2 * (number % columns)
        left, right = axes[row, column], axes[row, column + 1]
        left.imshow(coloured(labels), interpolation="nearest")
        _outlined(right, image, labels)
        left.set_title(text, fontsize=7, loc="left")
    return figure


def coloured(labels: NDArray[np.integer]) -> NDArray[np.float64]:
    """Give each object a colour of its own, (H, W, 3) in [0, 1]; background is black."""
    hues = np.random.default_rng(0).uniform(0.35, 1.0, (int(labels.max(initial=0)) + 1, 3))
    hues[0] = 0
    return np.asarray(hues[labels])


def rows_figure(rows: Mapping[str, Sequence[Image]]) -> Figure:
    """Draw rows of images, each with its name."""
    columns = max(len(images) for images in rows.values())
    figure = Figure(figsize=(PANEL * columns, (PANEL + 0.25) * len(rows)), dpi=100, layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for each in axes.flat:
        each.set_axis_off()
    for line, (name, images) in zip(axes, rows.items(), strict=True):
        for each, image in zip(line, images, strict=False):
            each.imshow(to_rgb(image.pixels, image.rgb), interpolation="nearest")
        line[0].set_title(name, fontsize=10, loc="left")
    return figure


def real_crops(images: Sequence[Path], shapes: Sequence[tuple[int, ...]]) -> list[Image]:
    """Cut the middle of real images, evenly chosen, to the sizes of painted ones, as far as they reach."""
    crops = []
    for index, (height, width) in zip(spread(len(images), len(shapes)), shapes, strict=False):
        image = read_image(images[index])
        top, left = (
            max(0, (extent - own) // 2) for extent, own in zip(image.pixels.shape[:2], (height, width), strict=True)
        )
        crops.append(replace(image, pixels=image.pixels[top : top + height, left : left + width]))
    return crops


def _outlined(axes: Axes, image: Image, labels: NDArray[np.integer]) -> None:
    axes.imshow(to_rgb(image.pixels, image.rgb), interpolation="nearest")
    if labels.any():
        # between pixels, so that the object itself is seen
        axes.contour(find_boundaries(labels, mode="outer"), levels=[0.5], colors=PREDICTED, linewidths=0.4)
