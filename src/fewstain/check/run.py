"""The whole check, file by file; it never stops at the first problem."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from fewstain.check import images as of_images
from fewstain.check import labels as of_labels
from fewstain.check.images import ImageFacts
from fewstain.check.labels import LabelFacts
from fewstain.check.report import CheckReport
from fewstain.dataset import LABEL_MORE, LEAST_WINDOWS, TOO_FEW_WINDOWS, how_to_make, label_pieces
from fewstain.images.read import IMAGE_EXTENSIONS, LABEL_EXTENSIONS
from fewstain.suggest import suggest_windows
from fewstain.validation import nearest

LEAST_SIDE = 32  # pixels; the network halves an image up to four times, after a 2 x 2 stem
RECOMMENDED_LABELS = 20
FULL_LABELS = "full-labels"  # of a benchmark's stain, which only the benchmark reads
FOLDERS = {".": ("images", "labels", "test", FULL_LABELS), "test": ("images", "labels")}
"""What may lie in a dataset's folder, and in its test/."""


def check_dataset(
    root: Path | str,
    channels: Sequence[int] | None = None,
    pixel_size_um: float | None = None,
    least_side: int = LEAST_SIDE,
    n_suggestions: int = 24,
) -> CheckReport:
    """Read every file of a dataset folder and report all problems; one image is in memory at a time.

    Parameters
    ----------
    root : Path
        The dataset folder, with images/ and maybe labels/ and test/.
    channels : sequence of int, optional
        The channels that are to be segmented, checked against the images.
    pixel_size_um : float, optional
        What the configuration says, compared with what the files say.
    least_side : int
        Least height and width of an image, pixels.
    n_suggestions : int
        How many windows to suggest for labeling when there are no labels yet.
    """
    root = Path(root)
    report = CheckReport()
    _check_folders(root, report)
    if not (root / "images").is_dir():
        report.error(root, "no folder images/ in it", how_to_make(root))
        return report
    images = of_images.unique_files(root / "images", IMAGE_EXTENSIONS, report)
    if not images:
        report.error(root / "images", "no images", "put TIFF, PNG or JPEG files there")
    pool = _read_all(images, report)
    test_images = of_images.unique_files(root / "test" / "images", IMAGE_EXTENSIONS, report)
    test = _read_all(test_images, report)
    of_images.check_kinds(list(pool.values()), list(test.values()), report)
    of_images.check_colours(root / "images", list(pool.values()), channels, report)
    of_images.check_sizes([*pool.values(), *test.values()], least_side, report)
    of_images.check_pixel_sizes(list(pool.values()), report)
    of_images.check_square_pixels([*pool.values(), *test.values()], pixel_size_um, report)
    of_images.check_duplicates(list(pool.values()), list(test.values()), report)
    _check_settings(root, pool, channels, pixel_size_um, report)

    files = _labels_in(root / "labels", report)
    labels = of_labels.check_pool_labels(files, images, pool, report)
    of_labels.check_overlaps(labels, report)
    of_labels.check_classes(root / "labels", labels, report, complete=True)
    test_files = _labels_in(root / "test" / "labels", report)
    test_labels = of_labels.check_test_labels(test_files, test_images, test, report)
    of_labels.check_classes(root / "test" / "labels", test_labels, report, complete=False)

    report.n_images, report.n_labels = len(pool), len(labels)
    report.n_objects = sum(len(facts.values) for facts in labels.values())
    report.n_whole_objects = sum(facts.whole for facts in labels.values())
    report.n_test, report.n_test_labeled = len(test), len(test_labels)
    for path, facts in pool.items():
        report.sizes[path.name] = [facts.height, facts.width]
        report.pixel_sizes_um[path.name] = facts.pixel_size_um
        report.hashes[path.name] = facts.hash
    if files:
        _check_enough(root / "labels", labels, report)
        of_labels.check_whole(root / "labels", labels, report)
    elif report.ok:
        report.suggestions = [
            f"{window.name}.tif" for window in suggest_windows(list(pool), n_suggestions, channels=channels)
        ]
        report.notes.append(f"{root / 'labels'}: no labels yet; now label some windows, for example the suggested ones")
    return report


def _check_folders(root: Path, report: CheckReport) -> None:
    """Warn of folders that are not read, which may be misspelt ones."""
    for place, known in FOLDERS.items():
        folder = root / place
        read = [folder / name for name in known if (folder / name).exists()]
        for path in sorted(folder.iterdir()) if folder.is_dir() else ():
            if path.name.startswith(".") or not path.is_dir() or any(path.samefile(each) for each in read):
                continue
            told = nearest(path.name.lower(), [name for name in known if name != FULL_LABELS])
            report.warn(path, "a folder that is not read", told)


def _labels_in(folder: Path, report: CheckReport) -> dict[str, Path]:
    """Label files of a folder; an error where it holds files but no labels."""
    found = of_images.unique_files(folder, LABEL_EXTENSIONS, report)
    if not found and folder.is_dir():
        others = [path for path in folder.iterdir() if path.is_file() and not of_images.is_ignored(path)]
        if others:
            count = f"{len(others)} file{'s' if len(others) > 1 else ''}"
            remedy = "save the labels as TIFF or PNG; `fewstain import` brings in those of other programs"
            report.error(folder, f"{count}, none of a format that is read here", remedy)
    return found


def _read_all(images: Mapping[str, Path], report: CheckReport) -> dict[Path, ImageFacts]:
    read = ((path, of_images.read_facts(path, report)) for path in images.values())
    return {path: facts for path, facts in read if facts is not None}


def _check_settings(
    root: Path,
    pool: Mapping[Path, ImageFacts],
    channels: Sequence[int] | None,
    pixel_size_um: float | None,
    report: CheckReport,
) -> None:
    """Compare the configured channels and pixel size with the files."""
    if channels is not None and report.channels is not None:
        absent = [channel for channel in channels if not 0 <= channel < report.channels]
        if absent:
            report.error(
                root / "images",
                f"no channel {', '.join(map(str, absent))}: the images have {report.channels}",
                f"choose channels from 0 to {report.channels - 1} in config.yaml",
            )
    for path, facts in pool.items():
        if pixel_size_um and facts.pixel_size_um and abs(facts.pixel_size_um / pixel_size_um - 1) > 0.01:
            report.warn(
                path,
                f"says {facts.pixel_size_um:.4g} µm a pixel, config.yaml {pixel_size_um:.4g}",
                "the file's value is used; correct pixel_size_um or the file",
            )


def _check_enough(folder: Path, labels: Mapping[str, LabelFacts], report: CheckReport) -> None:
    """Count the labeled windows, large labels by their pieces, and the files that teach something."""
    useful = sum(len(facts.values) >= 2 for facts in labels.values())
    windows = sum(len(label_pieces(facts.y1 - facts.y0, facts.x1 - facts.x0)) for facts in labels.values())
    if windows < LEAST_WINDOWS or not useful:
        report.error(
            folder,
            f"labeled windows: {windows}, files with two objects or more: {useful}; {TOO_FEW_WINDOWS} windows",
            LABEL_MORE,
        )
    elif windows < RECOMMENDED_LABELS:
        report.warn(folder, f"{windows} labeled windows", "5 work, but 20-50 are recommended; label more")
