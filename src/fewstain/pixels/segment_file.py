"""segment.json of a results folder: the tiles and flips that its masks were made with."""

from __future__ import annotations

from pathlib import Path

from fewstain.settings import SegmentSettings
from fewstain.storage import read_json, write_json
from fewstain.validation import validate

SEGMENT_FILE = "segment.json"


def write_segment_settings(results_dir: Path, settings: SegmentSettings) -> None:
    """Write `results_dir`/segment.json."""
    write_json(results_dir / SEGMENT_FILE, settings.model_dump(mode="json"))


def read_segment_settings(results_dir: Path) -> SegmentSettings | None:
    """Read the settings that the masks of a results folder were made with; None where it has none yet.

    Raises
    ------
    UserError
        The file is damaged, or of another version.
    """
    path = results_dir / SEGMENT_FILE
    return validate(SegmentSettings, read_json(path), str(path)) if path.is_file() else None
