"""Verbs that bring data in: init, import, demo-data."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import say


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("init")(init)
    app.command("import")(import_labels)
    app.command("demo-data")(demo_data)


def init(
    folder: Annotated[Path, typer.Argument(help="PROJECT/data/NAME for one dataset, or a project's own folder.")],
) -> None:
    """Make the folders of a new dataset, and a config.yaml where there is none. What exists is left as it is."""
    from fewstain import scaffold

    made = scaffold.init(folder)
    for path in made:
        say(f"made {path}")
    say("now put images into images/, and labels into labels/ when you have some" if made else "all of it exists")
    if told := scaffold.tell_to_name(folder):
        say(told)


def import_labels(
    files: Annotated[list[Path], typer.Argument(help="Label images, ImageJ ROI files or zips, QuPath GeoJSON.")],
    out: Annotated[Path, typer.Option(help="The dataset's folder; labels go to its labels/.")],
    images: Annotated[Path | None, typer.Option(help="Where the images are, if not in the dataset's images/.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace label files that exist.")] = False,
) -> None:
    """Bring labels that were drawn in another program into a dataset: all of them, or none and every fault."""
    from fewstain import labels_import

    for item in labels_import.import_labels(files, out, images, overwrite):
        say(f"{item.source} -> {item.labels}: {item.n_objects} objects")
        for note in item.notes:
            say(f"  {note}")


def demo_data(
    folder: Annotated[Path, typer.Argument(help="Becomes a dataset with labels; FOLDER-tissue one without.")],
) -> None:
    """Write real microscope images that come with the Python packages, to try everything out."""
    from fewstain.demo import write_demo

    for dataset in write_demo(folder):
        say(f"wrote {dataset}")
