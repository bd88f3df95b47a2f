"""From cells to the files a person reads: a CSV table, figures, the report's page, the Markdown page."""

from __future__ import annotations

import os
from pathlib import Path

import pandas as pd

from fewstain.benchmark.figure import benchmark_figure
from fewstain.benchmark.intervals import SCORES
from fewstain.benchmark.page import benchmark_page, report_table
from fewstain.benchmark.plan import Plan
from fewstain.benchmark.results import read_cells
from fewstain.benchmark.summary import Key, summarise
from fewstain.benchmark_settings import BenchmarkSettings
from fewstain.storage import atomic_path, write_text


def gather(plan: Plan, settings: BenchmarkSettings, out: Path, named: str) -> list[Path]:
    """Write `out`.csv, `out`.html, a figure of each score, and the Markdown page.

    Parameters
    ----------
    plan
        Cells that are not there yet are told as not run.
    settings
        Where cells lie and where the page goes.
    out
        Path without an ending.
    named
        How the subset was given, for the page.

    Returns
    -------
    list of Path
        What was written.
    """
    cells = read_cells(plan.cells, Path(settings.cells), settings.preset)
    wanted: dict[Key, list[int]] = {}
    for cell in plan.cells:
        wanted.setdefault((cell.stain, cell.method.value, cell.n), []).append(cell.seed)
    left_out = {method.value: reason for method, reason in plan.left_out.items()}
    table = summarise(cells, wanted, left_out)
    written = [out.with_suffix(".csv"), out.with_suffix(".html")]
    with atomic_path(written[0]) as temporary:
        table.to_csv(temporary, index=False, float_format="%.6g")
    write_text(written[1], report_table(table))
    target = Path(settings.page) if settings.page is not None else out.with_suffix(".md")
    figures = [_draw(table, score, out) for score in SCORES]
    shown = figures if len(table["AP50"].dropna()) else []  # nothing to see else
    if settings.page is not None:
        shown = [_copy(path, target.parent / "figures" / path.name) for path in shown]
    facts = {"file": named, "preset": settings.preset.value, "budget": budget_told(settings)}
    links = [Path(os.path.relpath(path, target.parent)).as_posix() for path in shown]
    write_text(target, benchmark_page(table, facts, links, cells))
    return [*written, *figures, target]


def budget_told(settings: BenchmarkSettings) -> str:
    """Say in words what every method may cost."""
    if settings.steps is not None:
        return f"Every training of another method has {settings.steps} steps: no comparison, only a trial of the code."
    budget = (
        f"{settings.seconds:g} seconds" if settings.seconds is not None else "as long as fewstain's denoiser trained"
    )
    return (
        f"Budget: each other method's training on the pool takes {budget} on the same device. So does the last "
        "training on labels of a method that trains on them (U-Net, Cellpose, DatasetGAN's segmenter); those by which "
        "only a decoder is chosen take a quarter of that each. Nothing limits any other fit to labels; so fewstain "
        "takes what it takes on top of its training on the pool, for its ensemble, a segmenter of each fold and the "
        'last segmenter. The minutes in the columns "pool" and "labels" are each method\'s own.'
    )


def _draw(table: pd.DataFrame, score: str, out: Path) -> Path:
    path = out.with_name(f"{out.name}-{score}.png")
    with atomic_path(path) as temporary:
        benchmark_figure(table, score).savefig(temporary)
    return path


def _copy(source: Path, target: Path) -> Path:
    with atomic_path(target) as temporary:
        temporary.write_bytes(source.read_bytes())
    return target
