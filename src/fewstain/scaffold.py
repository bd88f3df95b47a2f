"""`fewstain init`: the folders and the config.yaml of a new dataset."""

from __future__ import annotations

import contextlib
from pathlib import Path

from fewstain.config import ACROSS, check_name, load_config
from fewstain.errors import UserError
from fewstain.storage import write_errors_named, write_text

_CONFIG = """\
# Which images are segmented, and how much computing that may take.

datasets:
  # One entry for each folder data/<name>; results go to results/<name>.
  "{name}":

# demo: minutes on 2 cores, to see that all works. cpu: under an hour a dataset. gpu: for a machine with a GPU.
preset: cpu
"""
CONFIG_FILE = "config.yaml"
_FOLDERS = ("images", "labels", "test/images", "test/labels")


def init(folder: Path | str) -> list[Path]:
    """Make a project with one empty dataset, or the folders of a dataset in a project that exists.

    `folder` = PROJECT/data/NAME makes that dataset, and PROJECT/config.yaml when there is none; any other folder is
    taken as the project, and gets the dataset data/mystain. Nothing that exists is changed.

    Returns
    -------
    What was made, in order; empty when all of it was there.

    Raises
    ------
    UserError
        A name that config.yaml cannot have; a project's data/ itself; the folder cannot be written, or a file stands
        where a folder is needed.
    """
    project, dataset = _places(folder)
    _check_name(dataset)
    made = []
    for path in (dataset / name for name in _FOLDERS):
        if not path.is_dir():
            with write_errors_named(path):
                path.mkdir(parents=True)
            made.append(path)
    config = project / CONFIG_FILE
    if not config.exists():
        write_text(config, _CONFIG.format(name=dataset.name))
        made.append(config)
    return made


def tell_to_name(folder: Path | str) -> str:
    """Say where to name the dataset that `init` makes of a folder; "" where the config.yaml names it already."""
    project, dataset = _places(folder)
    config = project / CONFIG_FILE
    with contextlib.suppress(UserError):  # a faulty file names nothing
        if dataset.name in load_config(config).datasets:
            return ""
    return f'name it in {config}: a line `  "{dataset.name}":` under `datasets:`'


def _places(folder: Path | str) -> tuple[Path, Path]:
    """Folders of the project and of the dataset that a folder stands for."""
    folder = Path(folder).absolute()
    if folder.parent.name == "data":
        return folder.parent.parent, folder
    if folder.name == "data" and (folder.parent / CONFIG_FILE).exists():
        raise UserError(
            f"{folder}: holds the datasets of {folder.parent / CONFIG_FILE}; name one, as in {folder / 'mystain'}"
        )
    return folder, folder / "data" / "mystain"


def _check_name(dataset: Path) -> None:
    """Refuse names that config.yaml would not take."""
    if dataset.name == ACROSS:
        raise UserError(f"{dataset}: this name is taken by what is learned across datasets; choose another name")
    try:
        check_name(dataset.name)
    except ValueError as error:
        raise UserError(f"{dataset}: a dataset's name {error}; choose another name") from error
