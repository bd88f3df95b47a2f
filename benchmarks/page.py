"""The part of a page of docs/ that scripts write: what stands between two markers."""

from __future__ import annotations


def replace_tables(page: str, content: str, subject: str) -> str:
    """Put `content` between the markers of `subject`'s tables; ValueError when the page has not both, in order."""
    begin, end = (f"<!-- {subject} tables: {place} -->" for place in ("begin", "end"))
    before, found_begin, rest = page.partition(begin)
    _, found_end, after = rest.partition(end)
    if not (found_begin and found_end):
        raise ValueError(f"the page needs the lines {begin} and {end}")
    return f"{before}{begin}\n\n{content.strip()}\n\n{end}{after}"
