"""Verbs that make what people read: scores, and the report's pictures and tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import ResultsDir, print_json, say
from fewstain.errors import UserError
from fewstain.report.kinds import Kind

DataOption = Annotated[
    Path | None, typer.Option(help="The dataset's folder, if not where dataset.json of the results says.")
]
Out = Annotated[Path, typer.Option(help="Folder for the files.")]


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("scores")(scores)
    app.command("report-pictures")(pictures)
    app.command("report-training")(training)
    app.command("report-tables")(tables)
    app.command("report-times")(times)


def scores(results: ResultsDir, data: DataOption = None) -> None:
    """Write RESULTS_DIR/scores.json: how good the masks are on the test images, if any, and out-of-fold."""
    from fewstain.provenance import find_dataset
    from fewstain.report.scores import write_scores

    print_json(write_scores(results, find_dataset(results, data)))


def pictures(
    results: ResultsDir,
    out: Out,
    kind: Annotated[Kind, typer.Option("--of", help="Labeled windows, test images or images of the pool.")],
    data: DataOption = None,
    most: Annotated[int, typer.Option(min=1, help="How many pictures at most.")] = 8,
) -> None:
    """Draw image, outlines and uncertainty side by side, those to look at first."""
    from fewstain.provenance import find_dataset
    from fewstain.report.pictures import write_pictures

    written = write_pictures(results, find_dataset(results, data), kind, out, most)
    say(f"wrote {len(written)} pictures to {out}")


def training(diffusion: Annotated[Path, typer.Argument(help="A trained denoiser's folder.")], out: Out) -> None:
    """Draw a denoiser's training curve and the images it painted."""
    from fewstain.report.pictures import write_training

    write_training(diffusion, out)
    say(f"wrote {out}")


def tables(results: ResultsDir, out: Out) -> None:
    """Write scores, choices and counts as tables for people (HTML)."""
    from fewstain.report.pages import write_tables

    for path in write_tables(results, out):
        say(f"wrote {path}")


def times(
    benchmarks: Annotated[list[Path], typer.Argument(help="Snakemake's benchmark files.")],
    out: Annotated[Path, typer.Option(help="The HTML file.")],
) -> None:
    """Write a table of run times and peak memory for people (HTML)."""
    if not benchmarks:
        raise UserError("no benchmark files given")
    from fewstain.report.pages import write_times

    write_times(benchmarks, out)
    say(f"wrote {out}")
