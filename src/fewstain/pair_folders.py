"""Where a results folder keeps its synthetic pairs: pairs, pairs-2, pairs-3 …, one folder a kind."""

from __future__ import annotations

import re
from pathlib import Path

_NAME = re.compile(r"pairs(?:-([2-9]|[1-9]\d+))?")


def pair_folder_name(number: int) -> str:
    """Name the folder of the kind of pairs that comes as the `number`-th, counted from 1."""
    return "pairs" if number == 1 else f"pairs-{number}"


def pair_folder_number(name: str) -> int | None:
    """Tell which kind's folder this is, counted from 1; None where it is none."""
    match = _NAME.fullmatch(name)
    return int(match[1] or 1) if match else None


def pair_folders(results: Path) -> list[Path]:
    """Find the folders of pairs in a results folder, in their order."""
    numbered = ((pair_folder_number(path.name), path) for path in results.iterdir() if path.is_dir())
    return [path for _, path in sorted((number, path) for number, path in numbered if number)]
