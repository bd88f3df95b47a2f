"""Verbs of the benchmark: benchmark-pretrain, benchmark-cell, benchmark-table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from fewstain.benchmark_settings import BenchmarkSettings, MethodName, read_benchmark
from fewstain.cli.options import (
    ChannelsOption,
    PresetOption,
    SeedOption,
    SetOption,
    channels_of,
    numbers_of,
    print_json,
    say,
)
from fewstain.errors import UserError
from fewstain.overrides import parse_set, resolve
from fewstain.settings import Preset
from fewstain.validation import validate

StainDir = Annotated[
    Path, typer.Argument(exists=True, file_okay=False, help="Folder of a stain, or of a dataset that has test/.")
]
SecondsOption = Annotated[float | None, typer.Option(min=0.0, help="How long it may train.")]
StepsOption = Annotated[int | None, typer.Option(min=1, help="How many steps it trains, in place of a time.")]
LikeOption = Annotated[
    Path | None, typer.Option(exists=True, file_okay=False, help="Train as long as this denoiser was trained.")
]


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("benchmark-pretrain")(pretrain)
    app.command("benchmark-cell")(cell)
    app.command("benchmark-table")(table)


def pretrain(
    stain: StainDir,
    kind: Annotated[str, typer.Option(help="diffusion, mae, vae or gan.")],
    out: Annotated[Path, typer.Option(help="Folder for the trained network.")],
    state: Annotated[Path, typer.Option(help="Folder of the training state, from which the same command goes on.")],
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    channels: ChannelsOption = None,
    seconds: SecondsOption = None,
    steps: StepsOption = None,
    as_long_as: LikeOption = None,
) -> None:
    """Train what a method learns from the pool without labels: once a stain, for all numbers of labels and seeds.

    A training that fails by itself is told in failed.json, in place of the network; cells that need it then fail, too.
    """
    settings = resolve(preset, parse_set(changes or ()), "--set")
    from fewstain.benchmark.guarded import guarded_pretraining
    from fewstain.dataset import open_dataset

    reason = guarded_pretraining(
        out,
        kind,
        open_dataset(stain),
        state=state,
        numbers=settings,
        preset=preset,
        seconds=seconds,
        steps=steps,
        as_long_as=as_long_as,
        channels=channels_of(channels),
    )
    say(f"wrote {out}" if reason is None else f"failed, and {out} says so: {reason}")


def cell(
    stain_dir: StainDir,
    method: Annotated[MethodName, typer.Option(help="What to run.")],
    out: Annotated[Path, typer.Option(help="The JSON file.")],
    n: Annotated[
        int | None, typer.Option("--n", "-n", min=1, help="Labeled windows; all there are by default.")
    ] = None,
    seed: SeedOption = 0,
    stain: Annotated[str | None, typer.Option(help="Its name in the tables; that of the folder by default.")] = None,
    pretrained: Annotated[
        Path | None, typer.Option(exists=True, file_okay=False, help="What benchmark-pretrain wrote.")
    ] = None,
    work: Annotated[
        Path | None, typer.Option(help="Folder that keeps the trial and the masks; by default none is kept.")
    ] = None,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    channels: ChannelsOption = None,
    seconds: SecondsOption = None,
    steps: StepsOption = None,
    as_long_as: LikeOption = None,
    budget: Annotated[str | None, typer.Option(help="The budget in words, for the tables.")] = None,
    limit_seconds: Annotated[float | None, typer.Option(min=0.0, help="Stop it after so long, and say so.")] = None,
    cellpose: Annotated[
        str | None, typer.Option(help="cellpose: Python of the environment it is installed in.")
    ] = None,
    cellpose_weights: Annotated[
        str | None, typer.Option(help="cellpose: file of pretrained weights to go on from; from scratch by default.")
    ] = None,
    timm: Annotated[str | None, typer.Option(help="timm: name of the backbone.")] = None,
    weights: Annotated[str | None, typer.Option(help="timm: file of its weights.")] = None,
) -> None:
    """Run one method on one trial, score it on the test images and write a small JSON, also where it fails."""
    settings = resolve(preset, parse_set(changes or ()), "--set")
    from fewstain.benchmark.cell_run import CellRun
    from fewstain.benchmark.guarded import guarded_cell

    given = {"cellpose": cellpose, "cellpose_weights": cellpose_weights, "timm": timm, "weights": weights}
    run = CellRun(
        source=stain_dir,
        stain=stain or stain_dir.resolve().name,
        method=method,
        n=n,
        seed=seed,
        settings=settings,
        channels=channels_of(channels),
        pretrained=pretrained,
        seconds=seconds,
        steps=steps,
        as_long_as=as_long_as,
        budget=budget,
        limit_seconds=limit_seconds,
        options={name: value for name, value in given.items() if value is not None},
        preset=preset,
    )
    print_json(guarded_cell(run, out, work))


def table(
    subset: Annotated[
        str, typer.Argument(help="The key `benchmark`, as JSON, or a YAML file that holds its contents.")
    ],
    out: Annotated[Path, typer.Option(help="Path of the table without its ending: .csv, .html and figures.")],
    data: Annotated[Path, typer.Option(help="Folder of the datasets that the subset names.")] = Path("data"),
    named: Annotated[str | None, typer.Option(help="How the page says that the subset was given.")] = None,
    channels: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=0,2", help="Channels that the cells of a dataset were run with; repeatable."),
    ] = None,
) -> None:
    """Write the tables, figures and the page of a benchmark from the cells that there are."""
    from fewstain.benchmark.gather import gather
    from fewstain.benchmark.plan import make_plan

    settings = _subset(subset)
    names = {path.name for path in data.iterdir()} if data.is_dir() else set()
    plan = make_plan(settings, data, names, channels_by_name(channels or ()))
    for path in gather(plan, settings, out, named or subset):
        say(f"wrote {path}")


def channels_by_name(texts: Sequence[str]) -> dict[str, tuple[int, ...]]:
    """Read ["cells=0,2"] as {"cells": (0, 2)}; UserError where a text is no such."""
    found = {}
    for text in texts:
        name, equals, numbers = text.rpartition("=")
        if not (name and equals):
            raise UserError(f"--channels {text}: write a dataset's name and its channels, as in mystain=0,2")
        found[name] = numbers_of(numbers, f"--channels {name}")
    return found


def _subset(text: str) -> BenchmarkSettings:
    """Read the settings of a benchmark."""
    import json

    try:
        content = json.loads(text) if text.lstrip().startswith("{") else read_benchmark(text)
    except ValueError as error:
        raise UserError(f"benchmark {text}: {error}") from error
    return validate(BenchmarkSettings, content, "benchmark")
