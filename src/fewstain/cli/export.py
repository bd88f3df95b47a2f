"""The verb that hands results over to other programs: export."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import PixelSizeOption, say
from fewstain.export.formats import Format


def add_to(app: typer.Typer) -> None:
    """Register this verb."""
    app.command("export")(export)


def export(
    results: Annotated[Path, typer.Argument(help="A results folder, with masks/ or pairs/ in it.")],
    kind: Annotated[Format, typer.Option("--format", help="The program or file format to write for.")],
    out: Annotated[Path, typer.Option(help="A new folder; takes masks/ and, if there are any, pairs/, pairs-2/ ….")],
    data: Annotated[Path | None, typer.Option(help="The dataset's folder, if it moved since.")] = None,
    pixel_size_um: PixelSizeOption = None,
    predicted: Annotated[
        bool, typer.Option("--predicted", help="The model's own masks, also where somebody corrected them.")
    ] = False,
) -> None:
    """Write masks and synthetic pairs as other programs read them, or train on them. docs/export.md has them all."""
    from fewstain.export.run import export_results

    for item in export_results(results, kind, out, data, pixel_size_um, corrected=not predicted):
        say(f"wrote {item.folder}: {item.tally.images} images, {item.tally.objects} objects")
        for note in item.notes:
            say(f"  {note}")
