"""Planes as large as an image, in memory or, for huge images, in a temporary file."""

from __future__ import annotations

import contextlib
import mmap
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import DTypeLike

from fewstain.storage import write_errors_named


@dataclass(frozen=True)
class Planes:
    """An array that may live on disk.

    Attributes
    ----------
    array
        To read and write like any other.
    mapping
        The mapped file behind it, None when it lies in memory.
    """

    array: np.ndarray
    mapping: mmap.mmap | None = None

    def release(self) -> None:
        """Give mapped pages back to the system, so that resident memory does not grow with the image."""
        if self.mapping is not None and hasattr(mmap, "MADV_DONTNEED"):
            with contextlib.suppress(OSError):
                self.mapping.madvise(mmap.MADV_DONTNEED)


def zeros(shape: tuple[int, ...], dtype: DTypeLike, folder: Path | None = None) -> Planes:
    """Make planes of zeros.

    Parameters
    ----------
    shape, dtype
        Of the array.
    folder
        Disk to keep them on, in a file without a name that vanishes with the array or the process; None for memory.

    Raises
    ------
    UserError
        The disk is full or the folder cannot be written. All space is taken now: a mapped file that meets a full disk
        later would kill the process.
    """
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    if folder is None or size == 0:
        return Planes(np.zeros(shape, dtype))
    with write_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as file:
            _reserve(file, size)
            mapping = mmap.mmap(file.fileno(), size)
    return Planes(np.frombuffer(mapping, dtype).reshape(shape), mapping)


def _reserve(file: IO[bytes], size: int) -> None:
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file.fileno(), 0, size)
        return
    chunk = bytes(2**20)
    for start in range(0, size, len(chunk)):
        file.write(chunk[: size - start])
    file.flush()
