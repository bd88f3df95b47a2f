"""The embedded data: real microscope images that come with Python packages, laid out as datasets."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np

from fewstain.dataset import window_name
from fewstain.description import WORDS_FILE
from fewstain.errors import UserError, install_extra
from fewstain.images.read import read_image, read_labels
from fewstain.images.write import write_image, write_labels
from fewstain.storage import write_text

LABELED_COLUMNS = 256  # the left half of the labeled image
TEST_FROM = 288  # a nucleus is at most 40 pixels long; a gap of 32 keeps the halves' nuclei apart but for a few
WINDOW = 128
WORDS = "fluorescence, nuclei"
TISSUE_WORDS = "hematoxylin, tissue, section"
BINNING = 3  # brings the nuclei of nuclear.png (about 75 pixels) to the size of those in img2d.tif (about 25)


def write_demo(out: Path | str) -> tuple[Path, Path]:
    """Write two datasets from the images that come with stardist, mahotas and scikit-image.

    `out` becomes a labeled fluorescence dataset: the pool is the left half of stardist's image and mahotas' image,
    the labels are 8 windows of 128 x 128 side by side in the left half, the test image is the right part.
    Its sibling `<out>-tissue` becomes an RGB dataset without labels. Each gets a words.txt that describes it. Files
    that are there already are written anew with the same content.

    Returns
    -------
    The two dataset folders.

    Raises
    ------
    UserError
        A package is not installed, or the folder cannot be written.
    """
    out = Path(out)
    tissue = out.with_name(f"{out.name}-tissue")
    image = packaged("stardist", "data/images/img2d.tif")
    pixels = _as_uint8(read_image(image).pixels)
    labels = read_labels(packaged("stardist", "data/images/mask2d.tif"))
    nuclear = read_image(packaged("mahotas", "demos/data/nuclear.png")).pixels[:, :, :1]  # its channels are equal

    write_image(out / "images" / "img2d-left.tif", pixels[:, :LABELED_COLUMNS])
    write_image(out / "images" / "nuclear.tif", binned(nuclear, BINNING))
    for y in range(0, labels.shape[0], WINDOW):
        for x in range(0, LABELED_COLUMNS, WINDOW):
            name = window_name("img2d-left", y, x)
            write_labels(out / "labels" / f"{name}.tif", labels[y : y + WINDOW, x : x + WINDOW])
    write_image(out / "test" / "images" / "img2d-right.tif", pixels[:, TEST_FROM:])
    write_labels(out / "test" / "labels" / "img2d-right.tif", labels[:, TEST_FROM:])

    write_image(tissue / "images" / "ihc.tif", read_image(packaged("skimage", "data/ihc.png")).pixels)
    write_image(tissue / "images" / "histo.tif", read_image(packaged("stardist", "data/images/histo.jpg")).pixels)
    for dataset, words in ((out, WORDS), (tissue, TISSUE_WORDS)):
        write_text(dataset / WORDS_FILE, f"{words}\n")
    return out, tissue


def packaged(package: str, path: str) -> Path:
    """Find a data file of an installed package without importing the package."""
    spec = importlib.util.find_spec(package)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        file = Path(folder) / path
        if file.is_file():
            return file
    raise UserError(f"{package}/{path}: not installed; run: {install_extra('demo')}")


def binned(pixels: np.ndarray, factor: int) -> np.ndarray:
    """Mean of factor x factor blocks: (H, W, C) -> (H // factor, W // factor, C), dtype kept, the rest cut off."""
    height, width = pixels.shape[0] // factor, pixels.shape[1] // factor
    blocks = pixels[: height * factor, : width * factor].reshape(height, factor, width, factor, -1)
    return np.rint(blocks.mean(axis=(1, 3))).astype(pixels.dtype)


def _as_uint8(pixels: np.ndarray) -> np.ndarray:
    """Uint16 intensities up to 255 as uint8, so that the pool has one bit depth."""
    if pixels.max() > np.iinfo(np.uint8).max:
        raise ValueError("more than 255 grey levels")
    return pixels.astype(np.uint8)
