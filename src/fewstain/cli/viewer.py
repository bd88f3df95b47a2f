"""Verbs around the viewer: suggest, view, apply-corrections."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import SeedOption, channels_of, print_json, say
from fewstain.cli.report import DataOption
from fewstain.errors import UserError, install_extra

Folder = Annotated[Path, typer.Argument(help="A dataset's folder, or its results folder.")]


class Widget(StrEnum):
    """What the viewer opens with."""

    inspect = "inspect"
    label = "label"
    run = "run"


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("suggest")(suggest)
    app.command("view")(view)
    app.command("apply-corrections")(apply_corrections)


def suggest(
    folder: Folder,
    n: Annotated[int, typer.Option("-n", min=1, help="How many windows.")] = 24,
    size: Annotated[int, typer.Option(min=16, help="Side of a window, pixels.")] = 128,
    channels: Annotated[
        str | None,
        typer.Option(
            metavar="0,2",
            help="Channels to look at, counted from 0; those that config.yaml names, or all of them, by default.",
        ),
    ] = None,
    seed: SeedOption = 0,
    data: DataOption = None,
) -> None:
    """Say which windows to label next, as JSON, the one that tells most first.

    Of a dataset's folder they are chosen by their looks; of a results folder by what its denoiser sees in them, and
    where its ensemble is uncertain. None that is labeled or begun is among them. The list is what "Label windows" opens
    with; there, those that are labeled or begun stay.
    """
    from fewstain.dataset import open_dataset
    from fewstain.provenance import DENOISER, RECORD_FILE, find_dataset
    from fewstain.viewer.session import begin, suggest_new
    from fewstain.viewer.study import Study, locate

    results = folder if data is not None or (folder / RECORD_FILE).is_file() else None
    dataset = open_dataset(folder if results is None else find_dataset(folder, data))
    study = Study(dataset.root.absolute(), results)
    windows = suggest_new(study, n, size, seed, channels_of(channels))
    print_json(
        [
            {
                "label_file": f"labels/{window.name}.tif",
                "image": window.image.name,
                "y": window.y,
                "x": window.x,
                "size": window.size,
            }
            for window in windows
        ]
    )
    there = "" if data is None else f" --data {data}"
    try:
        begin(study, windows)
        say(f"{len(windows)} windows; `fewstain view {folder} --with label{there}` opens them in napari, to label them")
    except UserError as error:  # of a dataset that may only be read they can be listed all the same
        say(f"{len(windows)} windows, of which napari does not know: {error}")
    made = results or locate(folder).results
    learned = made is not None and (made / DENOISER).is_file()
    if results is None and learned:
        say(f"chosen by their looks; `fewstain suggest {made}` goes by what the last run learned, and knows more")
    elif results is not None and not learned:
        say(f"{results}: no denoiser yet: chosen by their looks")


def view(
    folder: Folder,
    widget: Annotated[
        Widget | None,
        typer.Option("--with", help="Which to open; by default inspect where there are measurements, else label."),
    ] = None,
    data: DataOption = None,
) -> None:
    """Open a dataset or its results in napari, to label, to look at objects and mend them, or to run the workflow."""
    from importlib.util import find_spec

    from fewstain.provenance import given_dataset

    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; give data/<dataset> or results/<dataset>")
    if data is not None:
        given_dataset(data)
    if find_spec("napari") is None:
        raise UserError(f"napari is not installed here; install it with: {install_extra('napari')}")
    from fewstain.viewer.display import has_display

    if not has_display():
        raise UserError("no screen to open a window on; run this on your desktop, or log in with `ssh -X`")
    from fewstain.viewer.window import view_folder

    view_folder(folder, None if widget is None else widget.value, data)


def apply_corrections(
    results: Annotated[Path, typer.Argument(help="A results folder, with masks/ and maybe corrected/.")],
    data: DataOption = None,
) -> None:
    """Measure and count once more, with the masks that were corrected in place of the predicted ones."""
    from fewstain.pixels.corrected import COUNTS, MEASUREMENTS, write_corrected
    from fewstain.pixels.decisions import CORRECTED
    from fewstain.provenance import find_dataset

    written = write_corrected(results, find_dataset(results, data))
    for name in written.carried:
        say(
            f"{results / CORRECTED / name}.tif: was corrected on an earlier model's mask; what was decided on was "
            f"carried over, all else is of the current model now: look at it with `fewstain view {results}`"
        )
    say(f"wrote {results / MEASUREMENTS} and {COUNTS}: {written.corrected} images corrected")
