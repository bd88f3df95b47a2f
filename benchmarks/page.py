"""The part of a page of docs/ that scripts write: what stands between two markers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any


def replace_tables(page: str, content: str, subject: str) -> str:
    """Put `content` between the markers of `subject`'s tables; ValueError when the page has not both, in order."""
    begin, end = (f"<!-- {subject} tables: {place} -->" for place in ("begin", "end"))
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"the page needs the lines {begin} and {end}")
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"


def write_tables(
    page: Path, files: Sequence[Path], content: Callable[[list[dict[str, Any]]], str], subject: str
) -> None:
    """Put what `content` makes of JSON files between the markers of `subject`'s tables on a page."""
    results = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    text = replace_tables(page.read_text(encoding="utf-8"), content(results), subject)
    page.write_text(text, encoding="utf-8")
