"""Pictures of a results folder: a handful of windows or images, those to look at first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import imageio.v3 as imageio
from matplotlib.figure import Figure

from fewstain.dataset import Dataset, Window, open_dataset
from fewstain.errors import UserError
from fewstain.images.read import read_image, read_labels, stem
from fewstain.report.figures import loss_figure, samples_figure, segmentation_figure
from fewstain.report.kinds import Kind
from fewstain.report.reading import read_table
from fewstain.storage import atomic_path, read_json

CORNER = 1024  # pixels: of a larger image, its middle is shown


@dataclass(frozen=True)
class _Picture:
    name: str
    image: Path
    mask: Path
    uncertainty: Path
    truth: Path | None = None
    window: Window | None = None


def write_pictures(results: Path, root: Path, kind: Kind, out: Path, most: int = 8) -> list[Path]:
    """Write out/<name>.png, image next to outlines next to uncertainty.

    Parameters
    ----------
    results
        With masks, uncertainty and counts of the pool, and of the test images under test/.
    root
        The dataset's folder.
    kind
        Labeled windows; test images, worst first where they are scored; pool images, flagged and uncertain ones first.
    out
        Folder.
    most
        How many pictures.

    Raises
    ------
    UserError
        A file is missing or unreadable.
    """
    dataset = open_dataset(root)
    chosen = {Kind.labeled: _labeled, Kind.test: _test, Kind.pool: _pool}[kind](results, dataset)
    out.mkdir(parents=True, exist_ok=True)
    written = []
    for rank, picture in zip(range(1, most + 1), chosen, strict=False):
        path = out / f"{rank:02d} {picture.name}.png"
        _save(_draw(picture), path)
        written.append(path)
    return written


def write_training(diffusion: Path, out: Path) -> None:
    """Write out/loss.png and out/samples.png of a trained denoiser's folder."""
    losses = read_table(diffusion / "loss.csv")
    out.mkdir(parents=True, exist_ok=True)
    _save(loss_figure(losses["step"].tolist(), losses["loss"].tolist()), out / "loss.png")
    grid = diffusion / "samples.png"
    if grid.is_file():
        _save(samples_figure(imageio.imread(grid)), out / "samples.png")


def _labeled(results: Path, dataset: Dataset) -> Iterator[_Picture]:
    """Labeled windows that were learned from, spread over the files."""
    windows = dataset.windows[: read_json(results / "pixels" / "pixels.json")["n_labels"]]
    spread = sorted(range(len(windows)), key=lambda index: (index * 0.6180339887) % 1)  # any first few are far apart
    for index in spread:
        window = windows[index]
        yield _picture(window.name, window.image, results / "masks", results / "uncertainty", window.labels, window)


def _test(results: Path, dataset: Dataset) -> Iterator[_Picture]:
    """Test images, worst AP50 first, then those without labels."""
    scores = results / "scores.json"
    rows = ((read_json(scores).get("test") or {}).get("images") or []) if scores.is_file() else []
    quality = {row["image"]: row["AP50"] for row in rows if row.get("AP50") is not None}
    for image in sorted(dataset.test, key=lambda each: quality.get(stem(each.image), 2.0)):
        yield _picture(stem(image.image), image.image, results / "test", results / "test" / "uncertainty", image.labels)


def _pool(results: Path, dataset: Dataset) -> Iterator[_Picture]:
    """Pool images: flagged ones, then the others, the most uncertain first."""
    counts = read_table(results / "counts.csv").set_index("image")
    images = {stem(path): path for path in dataset.images}
    order = counts.sort_values(["look_at_this_one", "mean_uncertainty"], ascending=False).index
    for name in order:
        if str(name) in images:
            yield _picture(str(name), images[str(name)], results / "masks", results / "uncertainty")


def _picture(
    name: str, image: Path, masks: Path, maps: Path, truth: Path | None = None, window: Window | None = None
) -> _Picture:
    return _Picture(name, image, masks / f"{stem(image)}.tif", maps / f"{stem(image)}.tif", truth, window)


def _draw(picture: _Picture) -> Figure:
    image, predicted = read_image(picture.image), read_labels(picture.mask)
    pixels = image.pixels
    uncertainty = read_image(picture.uncertainty).pixels[..., 0]
    truth = None if picture.truth is None else read_labels(picture.truth)
    if predicted.shape != pixels.shape[:2]:
        raise UserError(f"{picture.mask}: not of the size of {picture.image}; segment the image again")
    title = picture.name
    if picture.window is not None and truth is not None:
        place = _slices((picture.window.y, picture.window.x), truth.shape)
        pixels, predicted, uncertainty = pixels[place], predicted[place], uncertainty[place]
    elif max(predicted.shape) > 2 * CORNER:
        place = _middle(predicted.shape)
        title += f", its middle from row {place[0].start}, column {place[1].start}"
        pixels, predicted, uncertainty = pixels[place], predicted[place], uncertainty[place]
        truth = None if truth is None else truth[place]
    return segmentation_figure(pixels, predicted, uncertainty, truth, title, image.rgb)


def _slices(corner: tuple[int, int], shape: tuple[int, ...]) -> tuple[slice, slice]:
    return slice(corner[0], corner[0] + shape[0]), slice(corner[1], corner[1] + shape[1])


def _middle(shape: tuple[int, ...]) -> tuple[slice, slice]:
    starts = [max(0, (length - CORNER) // 2) for length in shape]
    return slice(starts[0], starts[0] + CORNER), slice(starts[1], starts[1] + CORNER)


def _save(figure: Figure, path: Path) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary)
