"""The verb of the segmenter: train-segmenter."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import PresetOption, ResultsDir, SeedOption, SetOption, say, section_settings, settings_help
from fewstain.settings import Preset, SegmenterSettings

SECTION = "segmenter"


def add_to(app: typer.Typer) -> None:
    """Register this verb."""
    app.command("train-segmenter", epilog=settings_help(SegmenterSettings, SECTION))(train)


def train(
    results: ResultsDir,
    out: Annotated[Path, typer.Option(help="Folder for the segmenter, as RESULTS_DIR/segmenter.")],
    state: Annotated[Path, typer.Option(help="Folder for the training states: the same command goes on from them.")],
    data: Annotated[
        Path | None, typer.Option(help="The dataset's folder, if not where dataset.json of the results says.")
    ] = None,
    pairs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder that `fewstain pairs` made, to learn from as well; repeatable."),
    ] = None,
    preset: PresetOption = Preset.cpu,
    changes: SetOption = None,
    seed: SeedOption = 0,
    restart: Annotated[
        bool, typer.Option("--restart", help="Begin anew where settings or labels have changed, instead of refusing.")
    ] = False,
) -> None:
    """Train a network to map pixels in one pass, and choose by out-of-fold scores what segments."""
    settings = section_settings(SegmenterSettings, SECTION, preset, changes)
    start = time.monotonic()
    from accelerate.state import PartialState

    from fewstain.dataset import open_dataset
    from fewstain.diffusion.progress import device_name, peak_memory_bytes
    from fewstain.pairs.methods import reason
    from fewstain.pairs.segmenter_fit import train_segmenter
    from fewstain.provenance import find_dataset
    from fewstain.report.scores import write_cost

    dataset = open_dataset(find_dataset(results, data))
    record = train_segmenter(results, dataset, out, state, settings, pairs=pairs or (), seed=seed, restart=restart)
    device = PartialState().device
    write_cost(out, max(time.monotonic() - start, record.wall_seconds), peak_memory_bytes(device), device_name(device))
    for method, scores in record.out_of_fold.items():
        say(f"out-of-fold AP50, {method}: {scores['AP50'] or 0:.3f} ± {scores['AP50_standard_error']:.3f}")
    for method, (lead, error) in record.leads.items():
        say(f"{method} leads both together by {lead:+.3f} ± {error:.3f}")
    say(f"wrote {out}; {record.method} will segment: {reason(record.method, record.leads)}")
