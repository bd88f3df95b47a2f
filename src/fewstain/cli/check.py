"""Verbs that look at data: check, evaluate."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fewstain.cli.options import ChannelsOption, DatasetDir, PixelSizeOption, channels_of, print_json, say
from fewstain.errors import UserError


def add_to(app: typer.Typer) -> None:
    """Register these verbs."""
    app.command("check")(check)
    app.command("evaluate")(evaluate)


def check(
    dataset: DatasetDir,
    channels: ChannelsOption = None,
    pixel_size_um: PixelSizeOption = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write what was found here, for programs.")] = None,
    record: Annotated[
        Path | None, typer.Option(help="Write the files' hashes here (RESULTS_DIR/dataset.json).")
    ] = None,
) -> None:
    """Read every file of a dataset and tell all problems at once. Warnings don't stop anything; errors do."""
    from fewstain.check import check_dataset
    from fewstain.provenance import tell_unseen, write_record
    from fewstain.storage import write_json

    report = check_dataset(dataset, channels_of(channels), pixel_size_um)
    for note in report.notes:
        say(f"note: {note}")
    for warning in report.warnings:
        say(f"warning: {warning}")
    if json_file is not None:
        write_json(json_file, report.as_dict())
    if report.errors:
        several = "s" if len(report.errors) > 1 else ""
        faults = "\n".join(f"error: {problem}" for problem in report.errors)
        raise UserError(f"{dataset}: {len(report.errors)} error{several} to correct first\n{faults}")
    if record is not None:
        write_record(record, dataset, report.pixel_sizes_um, pixel_size_um)
        if unseen := tell_unseen(record.parent):
            say(f"warning: {dataset / 'images'}: {unseen}")
    say(
        f"{dataset}: {report.n_images} images, {report.n_labels} label files with {report.n_objects} objects, "
        f"{report.n_test} test images ({report.n_test_labeled} labeled)"
    )
    for name in report.suggestions[:: max(1, len(report.suggestions) // 6)][:6]:
        say(f"  to label: {dataset / 'labels' / name}")


def evaluate(
    truth: Annotated[Path, typer.Argument(help="Folder of true label images.")],
    predicted: Annotated[Path, typer.Argument(help="Folder of predicted label images of the same names.")],
    out: Annotated[Path | None, typer.Option(help="Write the scores here too.")] = None,
) -> None:
    """Score label images against true ones: AP, PQ, AJI, F1, mIoU and counts as JSON, summed over images."""
    from fewstain.evaluate.folders import evaluate_folders
    from fewstain.storage import write_json

    scores = evaluate_folders(truth, predicted)
    print_json(scores)
    if out is not None:
        write_json(out, scores)
