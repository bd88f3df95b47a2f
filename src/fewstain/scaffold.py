"""`fewstain init`: the folders and the config.yaml of a new dataset."""

from __future__ import annotations

from pathlib import Path

from fewstain.config import ACROSS, check_name
from fewstain.errors import UserError
from fewstain.storage import atomic_path, write_errors_named

_CONFIG = """\
# Which images are segmented, and how much computing that may take.

datasets:
  # One entry for each folder data/<name>; results go to results/<name>.
  "{name}":

# demo: minutes on 2 cores, to see that all works. cpu: under an hour a dataset. gpu: for a machine with a GPU.
preset: cpu
"""
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
        A name that config.yaml cannot have; the folder cannot be written, or a file stands where a folder is needed.
    """
    folder = Path(folder).absolute()
    in_project = folder.parent.name == "data"
    project = folder.parent.parent if in_project else folder
    dataset = folder if in_project else folder / "data" / "mystain"
    _check_name(dataset)
    made = []
    for path in (dataset / name for name in _FOLDERS):
        if not path.is_dir():
            with write_errors_named(path):
                path.mkdir(parents=True)
            made.append(path)
    config = project / "config.yaml"
    if not config.exists():
        with atomic_path(config) as temporary:
            temporary.write_text(_CONFIG.format(name=dataset.name), encoding="utf-8")
        made.append(config)
    return made


def _check_name(dataset: Path) -> None:
    """Refuse names that config.yaml would not take."""
    if dataset.name == ACROSS:
        raise UserError(f"{dataset}: this name is taken by what is learned across datasets; choose another name")
    try:
        check_name(dataset.name)
    except ValueError as error:
        raise UserError(f"{dataset}: a dataset's name {error}; choose another name") from error
