"""Folders that appear whole, in place of an older one of their kind."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
from collections.abc import Iterator, Set
from pathlib import Path

from fewstain.errors import UserError
from fewstain.storage import check_writable, write_errors_named


def check_replaceable(out: Path, contents: Set[str], holder: str) -> None:
    """Refuse, before hours of training, a folder that cannot be written or holds anything but `contents`.

    Parameters
    ----------
    contents
        Names of what a result of this kind may hold.
    holder
        What such a folder is called in a message, "a denoiser" or the like.
    """
    check_writable(out.parent)
    if out.is_dir():
        foreign = sorted({path.name for path in out.iterdir()} - contents)
        if foreign:
            raise UserError(f"{out}: holds {foreign[0]!r}, which is no part of {holder}; choose another folder")
    elif out.exists():
        raise UserError(f"{out}: is a file; choose a folder's name")


@contextlib.contextmanager
def replaced_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder that takes the name and place of `out` when the block ends well, and else vanishes."""
    token = secrets.token_hex(4)
    fresh, old = out.with_name(f".{out.name}.{token}.part"), out.with_name(f".{out.name}.{token}.old")
    with write_errors_named(out):
        try:
            for kind in ("part", "old"):  # of a session that was killed while writing
                for stale in out.parent.glob(f".{out.name}.*.{kind}"):
                    shutil.rmtree(stale, ignore_errors=True)
            fresh.mkdir(parents=True)
            yield fresh
            for path in fresh.rglob("*"):
                if path.is_file():
                    with path.open("r+b") as file:
                        os.fsync(file.fileno())
            if out.exists():
                out.rename(old)
            fresh.rename(out)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
            shutil.rmtree(old, ignore_errors=True)
