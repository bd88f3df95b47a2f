"""napari's window with a folder in it: what `fewstain view` opens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from fewstain.viewer.study import locate

if TYPE_CHECKING:
    import napari

TITLES = {"label": "Label windows", "inspect": "Look at objects", "run": "Run the workflow"}


def view_folder(folder: Path, widget: str | None = None, data: Path | None = None) -> None:
    """Open a window and return when it is closed.

    Parameters
    ----------
    folder
        A dataset or results folder.
    widget
        "label", "inspect" or "run"; by default "inspect" where there are measurements, else "label".
    data
        The dataset of a results folder, if not where dataset.json says.

    Raises
    ------
    UserError
        The folder is neither.
    """
    kind = widget or default_widget(folder, data)
    import napari

    open_window(folder, kind, data=data)
    napari.run()


def default_widget(folder: Path, data: Path | None = None) -> str:
    """Choose what to open a folder with."""
    study = locate(folder, data)
    return "inspect" if study.results and (study.results / "measurements.csv").is_file() else "label"


def open_window(
    folder: Path, widget: str, viewer: napari.Viewer | None = None, data: Path | None = None
) -> napari.Viewer:
    """Open a window with a widget at its right side; `data` is as of `view_folder`."""
    import napari

    from fewstain.viewer.inspect_widget import InspectWidget
    from fewstain.viewer.label_widget import LabelWidget
    from fewstain.viewer.run_widget import RunWidget

    viewer = viewer or napari.Viewer(title=f"fewstain {folder.name}")
    make = {"label": LabelWidget, "inspect": InspectWidget, "run": RunWidget}[widget]
    viewer.window.add_dock_widget(make(viewer, folder, data), name=TITLES[widget], area="right")
    return viewer
