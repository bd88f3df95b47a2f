"""The tables of a results folder, written as HTML pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from fewstain.dataset import LARGEST_PIECE
from fewstain.evaluate.counts import DRAWS
from fewstain.pairs.joint import LEAST_CHANCE_OF_BOTH
from fewstain.pixels.consensus import LEAST_AGREEMENT, LEAST_CHANCE
from fewstain.provenance import tell_unseen
from fewstain.report.reading import read_table
from fewstain.report.tables import cell, count_table, page, score_table, time_table
from fewstain.storage import read_json, write_text

MOST_ROWS = 200
SCORES_NOTE = (
    "test: the images in test/, which nothing was trained, chosen or tuned on. out_of_fold: each labeled window "
    "predicted by a model that has not seen its image. AP50, PQ, F1: objects matched one to one at IoU 0.5; AP: "
    "mean over IoU 0.5 to 0.95; AJI: area shared by matched objects over the area of all; IoU: the same of each class "
    "of pixels, whatever object they belong to, and mIoU their mean; all of these are 1 at best. Objects are summed "
    "over images before anything is divided. count_relative_bias: objects found over objects drawn, minus 1, with a "
    "95 % interval (bootstrap over the images, or over the windows, {draws} draws, seed 0). count_bias: objects found "
    "minus objects drawn, mean of a test image, with the limits that 95 % of them lie within. "
)
WINDOWS_NOTE = (
    "Under out_of_fold, count_bias is the mean of a labeled window, not of an image{many}: a large label is cut to "
    "pieces of at most {side} pixels, and objects that an edge cuts do not count. Images hold more objects than "
    "windows: for them, reckon with count_relative_bias. "
)
BLOCKED_NOTE = (
    "The labels come from fewer than three images, so out_of_fold is of other places in them: it may flatter."
)
METHOD_SCORES = ("AP50", "AP50_standard_error", "AP", "PQ", "F1", "count_relative_bias", "count_bias")
METHODS_NOTE = (
    "Out-of-fold scores of the pixel ensemble, of the segmenter, and of both, of whose maps the mean is decoded: by "
    f"the ensemble's decoder, but objects are kept from a chance of {LEAST_CHANCE_OF_BOTH} on, as the mean is fainter. "
    "count_bias is the mean of a labeled window, not of an image. "
    "Both segment, unless another leads their AP50 by more than two standard errors of the lead (all drawn on the "
    "same windows). "
)
PAIRS_NOTE = (
    "The segmenter learns from {n} synthetic pairs, too, and what painted these has seen the images of all labels: its "
    "scores, and those of both, may flatter. "
)
TABLE_NOTES = {
    "features": "Noise levels and layers of the denoiser that were tried, with their out-of-fold scores.",
    "decoder": "Parameters that were tried out-of-fold, on windows and their views, best first.",
    "folds": "Windows of one fold were predicted together, by an ensemble that had not seen them.",
}


def write_tables(results: Path, out: Path) -> list[Path]:
    """Write out/scores.html, out/choices.html and out/counts.html.

    Raises
    ------
    UserError
        scores.json, pixels/pixels.json or counts.csv is missing or damaged.
    """
    scores, record = read_json(results / "scores.json"), read_json(results / "pixels" / "pixels.json")
    counts = read_table(results / "counts.csv")
    facts = {key: value for key, value in scores.items() if key not in ("test", "out_of_fold")}
    pages = {
        "scores.html": page(
            "Scores",
            [
                ("", _scores_note(scores.get("out_of_fold") or {}), score_table(scores)),
                ("Test images", "", _image_rows(scores)),
                ("Cost", "", _pairs(facts)),
            ],
        ),
        "choices.html": page("Choices", [*method_tables(results), *_choices(record)]),
        "counts.html": page(
            "Counts",
            [("", f"The images to look at first come first. {_unseen(results)}", count_table(counts).head(MOST_ROWS))],
        ),
    }
    for name, text in pages.items():
        write_text(out / name, text)
    return [out / name for name in pages]


def write_times(benchmarks: Sequence[Path], out: Path) -> None:
    """Write Snakemake's benchmark files (tab-separated) as one HTML table."""
    tables = {path.stem: read_table(path, "\t") for path in benchmarks}
    note = (
        "Time of the last time each step was run; of a training that was interrupted, that of its last part; of pairs "
        "that are made in shards, that of all shards together, which may have run side by side."
    )
    write_text(out, page("Run times", [("", note, time_table(tables))]))


def method_tables(results: Path) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Compare what may segment, where there is a segmenter: a heading, its explanation, and a table."""
    file = results / "segmenter" / "segmenter.json"
    if file.is_file():
        record = read_json(file)
        found, leads = record.get("out_of_fold") or {}, record.get("leads") or {}
        rows = []
        for name, scores in found.items():
            lead, error = leads.get(name, (None, None))
            row = {"method": name, **{key: scores.get(key) for key in METHOD_SCORES}}
            rows.append(row | {"lead": lead, "lead_standard_error": error})
        note = METHODS_NOTE + (PAIRS_NOTE.format(n=record["n_pairs"]) if record.get("n_pairs") else "")
        yield "What segments", f"{note}What segments: {cell(record.get('method'))}", pd.DataFrame(rows, dtype=object)


def _unseen(results: Path) -> str:
    """Say how many of the images are new to the denoiser, in a sentence."""
    told = tell_unseen(results)
    return f"{told}." if told else ""


def _scores_note(out_of_fold: Mapping[str, Any]) -> str:
    """Explain the scores, and how many windows the out-of-fold ones are of."""
    n = out_of_fold.get("n_images")
    windows = WINDOWS_NOTE.format(many=f" ({n} windows here)" if n else "", side=LARGEST_PIECE)
    return SCORES_NOTE.format(draws=DRAWS) + windows + (BLOCKED_NOTE if out_of_fold.get("spatially_blocked") else "")


def _choices(record: Mapping[str, Any]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    """Tell what was chosen, then every table behind it."""
    chosen = {key: record.get(key) for key in ("timesteps", "blocks", "noise_draws", "members", "n_labels", "classes")}
    yield "Chosen", "All choices were made out-of-fold, on the labels.", _pairs(chosen)
    decoder = record.get("decoder") or {}
    yield "Decoder", _how_objects_are_chosen(decoder), pd.DataFrame(decoder.get("decoders") or [], dtype=object)
    for name, rows in (record.get("choices") or {}).items():
        if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
            yield name, TABLE_NOTES.get(name, ""), pd.DataFrame(rows, dtype=object).head(MOST_ROWS)
        else:
            yield name, "", _pairs(rows if isinstance(rows, dict) else {name: rows})


def _how_objects_are_chosen(decoder: Mapping[str, Any]) -> str:
    """Tell what becomes of the objects that several parameter sets propose."""
    proposed = "How maps become objects: each of these parameter sets proposes its own. "
    if decoder.get("score") is None:
        return proposed + f"Those that they agree on are kept, from a mean IoU of {LEAST_AGREEMENT} on."
    return proposed + (
        f"Of those that overlap the likeliest is kept, if the chance that it is right is {LEAST_CHANCE} or more. What "
        "makes an object likely was learned on windows that were held out."
    )


def _image_rows(scores: Mapping[str, Any]) -> pd.DataFrame:
    rows = (scores.get("test") or {}).get("images") or []
    columns = [key for key in (rows[0] if rows else ()) if not isinstance(rows[0][key], dict)]
    return pd.DataFrame(rows, columns=columns, dtype=object)


def _pairs(values: Mapping[str, Any]) -> pd.DataFrame:
    return pd.DataFrame({"": list(values), "value": pd.Series(list(values.values()), dtype=object)})
