"""One process at a time in a folder."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from fewstain.errors import UserError
from fewstain.storage import write_error, write_errors_named


@contextlib.contextmanager
def sole_writer(folder: Path, busy: str) -> Iterator[bool]:
    """Hold a lock on a folder, which the system takes back when the process ends, however it ends.

    Parameters
    ----------
    folder
        Made where it is missing; takes the file `lock`, which stays there and means nothing by itself.
    busy
        What to tell the user where another process holds the lock.

    Yields
    ------
    bool
        Whether the lock is held: some network disks know no locks, and nobody is kept out there.

    Raises
    ------
    UserError
        Another process holds the lock; the folder cannot be written.
    """
    from filelock import FileLock, Timeout

    with write_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / "lock")
    held = True
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise UserError(busy) from None
    except (NotImplementedError, OSError) as error:
        told = write_error(folder, error)
        if told:
            raise told from error
        held = False
    try:
        yield held
    finally:
        if held:
            lock.release()
