"""A page of the report on synthetic pairs: what became of them, and what segments with their help."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fewstain.report.pages import method_tables
from fewstain.report.tables import page
from fewstain.storage import read_json, write_text

FATES_NOTE = (
    "Each pair that is not kept counts under the first filter that it did not pass; memorised are all that look like "
    "copies of training images, whatever else is wrong with them."
)
LIMITS_NOTE = "What pairs had to keep to; docs/pairs.md says what each filter looks at."


def write_pair_summary(pairs: Path, out: Path, results: Path | None = None) -> Path:
    """Write out/summary.html.

    Parameters
    ----------
    pairs
        What `fewstain pairs` wrote.
    out
        Folder for the page.
    results
        The results folder whose segmenter learned from them, if one did: its out-of-fold scores are told too.

    Raises
    ------
    UserError
        pairs.json is missing or damaged.
    """
    record = read_json(pairs / "pairs.json")
    sections = list(_fates(record))
    if results is not None:
        sections += method_tables(results)
    path = out / "summary.html"
    write_text(path, page("Synthetic pairs", sections))
    return path


def _fates(record: Mapping[str, Any]) -> Iterator[tuple[str, str, pd.DataFrame]]:
    dropped = {f"dropped by {name}": count for name, count in sorted((record.get("dropped") or {}).items())}
    counts = {"made": record.get("generated"), "kept": record.get("kept"), **dropped}
    counts |= {"memorised": record.get("memorised")}
    yield "What became of them", FATES_NOTE, _column(counts, "pairs")
    yield "Limits", LIMITS_NOTE, _column(record.get("limits") or {}, "value")


def _column(values: Mapping[str, Any], name: str) -> pd.DataFrame:
    return pd.DataFrame({"": list(values), name: pd.Series(list(values.values()), dtype=object)})
