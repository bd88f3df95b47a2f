"""What a command has written."""

from pathlib import Path


def files(folder: Path) -> dict[str, bytes]:
    """Content of every file under a folder, by its path there."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
