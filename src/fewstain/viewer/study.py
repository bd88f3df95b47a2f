"""A dataset and its results, found from either folder; which of their images there are, and the files of one image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from fewstain.config import Config, load_config
from fewstain.dataset import Window, list_files, parse_window
from fewstain.errors import UserError
from fewstain.images.read import LABEL_EXTENSIONS, stem
from fewstain.pixels.decisions import CORRECTED
from fewstain.provenance import RECORD_FILE, find_dataset


@dataclass(frozen=True)
class Study:
    """A dataset folder with its results folder, as far as they exist.

    Attributes
    ----------
    data
        The dataset folder, with images/.
    results
        The results folder; None before the workflow has run, unless a config.yaml says where it will be.
    """

    data: Path
    results: Path | None = None

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.data.name

    @cached_property
    def images(self) -> dict[str, Path]:
        """Stem -> file of every pool image, sorted."""
        return {stem(path): path for path in list_files(self.data / "images")}

    def image(self, name: str) -> Path:
        """File of a pool image; UserError when there is none."""
        try:
            return self.images[name]
        except KeyError:
            raise UserError(f"{self.data / 'images'}: no image {name}; was it removed, or the folder moved?") from None

    def labels_of(self, name: str) -> list[Window]:
        """Label files of an image, whole or of windows."""
        found = []
        for path in list_files(self.data / "labels", LABEL_EXTENSIONS):
            place = parse_window(stem(path), self.images)
            if place and stem(place[0]) == name:
                found.append(Window(stem(path), place[0], path, place[1], place[2]))
        return found

    def mask(self, name: str) -> Path | None:
        """Predicted instance labels of an image, if it was segmented."""
        return self._result("masks", name)

    def uncertainty(self, name: str) -> Path | None:
        """Uncertainty map of an image, if it was segmented."""
        return self._result("uncertainty", name)

    def corrected(self, name: str) -> Path:
        """Where the corrected instance labels of an image are, or will be."""
        if self.results is None:
            raise UserError(f"{self.data}: has no results yet; run the workflow first")
        return self.results / CORRECTED / f"{name}.tif"

    def _result(self, kind: str, name: str) -> Path | None:
        path = None if self.results is None else self.results / kind / f"{name}.tif"
        return path if path and path.is_file() else None


def locate(folder: Path | str, data: Path | None = None) -> Study:
    """Find the dataset and the results that a folder belongs to.

    Parameters
    ----------
    folder
        A dataset folder (images/ in it), or a results folder (dataset.json in it).
    data
        The dataset of a results folder, if not where dataset.json says.

    Raises
    ------
    UserError
        It is neither, or the dataset is no longer where the results say.
    """
    folder = Path(folder).absolute()
    if data is not None:
        return Study(data.absolute(), folder)
    if (folder / RECORD_FILE).is_file():
        anew = f"fewstain check DATASET --record {folder / RECORD_FILE}"
        return Study(find_dataset(folder, remedy=f"correct `path` in it, or write it anew: {anew}"), folder)
    if (folder / "images").is_dir() and list_files(folder / "images"):
        return Study(folder, _results_of(folder))
    raise UserError(
        f"{folder}: neither a dataset (a folder with images/ in it) nor results (a folder with {RECORD_FILE} in it); "
        "choose data/<dataset> or results/<dataset>"
    )


@dataclass(frozen=True)
class Given:
    """What a widget was opened with: a folder and, of a results folder whose dataset was moved, that dataset.

    Attributes
    ----------
    folder
        A dataset or results folder, if one was named.
    data
        Where its dataset is, if not where dataset.json says.
    """

    folder: Path | str | None = None
    data: Path | None = None

    def locate(self, folder: Path) -> Study:
        """Do as `locate` does; `data` is of `folder` alone, not of others that are chosen later."""
        mine = self.folder is not None and _same(Path(self.folder), folder)
        return locate(folder, self.data if mine else None)


def is_study(folder: Path | str) -> bool:
    """Whether a folder looks like a dataset or results."""
    folder = Path(folder)
    return (folder / RECORD_FILE).is_file() or (folder / "images").is_dir()


def project_of(study: Study) -> tuple[Path, Config]:
    """Find the project, the folder with the config.yaml that names a dataset.

    Raises
    ------
    UserError
        No config.yaml in a folder above names it, or the nearest one is faulty.
    """
    found = _project(study)
    if found is None:
        raise UserError(
            f"{study.data}: no config.yaml in a folder above names this dataset; add `{study.name}:` to its "
            "`datasets:`, or make one with `fewstain init`"
        )
    return found


def channels_of(study: Study) -> tuple[int, ...] | None:
    """Tell the channels that config.yaml says a dataset is segmented by; None for all, or where it is in none.

    Raises
    ------
    UserError
        The nearest config.yaml is faulty.
    """
    found = _project(study)
    return None if found is None else found[1].dataset(study.name).channels


def _project(study: Study) -> tuple[Path, Config] | None:
    for start in (study.data, study.results):
        for folder in start.parents if start else ():
            if (folder / "config.yaml").is_file():
                config = load_config(folder / "config.yaml")
                if study.name in config.datasets and _same(folder / config.data / study.name, study.data):
                    return folder, config
    return None


def _results_of(data: Path) -> Path | None:
    try:
        project, config = project_of(Study(data))
    except UserError:
        return None
    return project / config.results / data.name


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()
