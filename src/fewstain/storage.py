"""Files written whole or not at all, and the few formats shared by every stage (JSON, hashes)."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fewstain.errors import UserError

# Windows tells so, too, where another program, such as Excel, has the file open.
_FORBIDDEN = (
    "no permission to write here; change the folder's permissions, choose another folder, "
    "or close the program that has this file open"
)
_REMEDIES = {
    errno.ENOSPC: "no space left on the disk; free some and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some space and run the same command again",
    errno.EFBIG: "the file is larger than this disk or your limits allow; write to another disk",
    errno.EACCES: _FORBIDDEN,
    errno.EPERM: _FORBIDDEN,
    errno.EROFS: "the disk is read-only; choose another folder",
    errno.ENOTDIR: "a file stands where a folder is needed; remove it or choose another folder",
    errno.EEXIST: "a file stands where a folder is needed; remove it or choose another folder",
    errno.EISDIR: "a folder stands where a file is to be written; remove it or choose another name",
    errno.ENAMETOOLONG: "the file name is too long for this disk; use a shorter one",
}
# Libraries written in other languages (safetensors) tell an OSError only in their message.
_TOLD_IN_TEXT = {"os error 28": errno.ENOSPC, "No space left on device": errno.ENOSPC, "os error 13": errno.EACCES}


def write_error(path: Path, error: BaseException) -> UserError | None:
    """Put an error met while writing `path` in the user's words; None when the user is not at fault.

    Parameters
    ----------
    path : Path
        The file or folder the user knows (not a temporary name).
    error : BaseException
        What the operating system or a library raised.
    """
    number = error.errno if isinstance(error, OSError) else None
    if number is None and not isinstance(error, UserError):
        number = next((code for text, code in _TOLD_IN_TEXT.items() if text in str(error)), None)
    remedy = _REMEDIES.get(number) if number is not None else None
    return UserError(f"{path}: {remedy}") if remedy else None


@contextlib.contextmanager
def write_errors_named(path: Path) -> Iterator[None]:
    """Within the block, a full disk or a forbidden folder raises a UserError that names `path`."""
    try:
        yield
    except Exception as error:
        told = write_error(path, error)
        if told is None:
            raise
        raise told from error


def check_writable(folder: Path) -> None:
    """Make a folder, and raise UserError, before hours of computing, where nothing can be written in it."""
    with write_errors_named(folder):
        folder.mkdir(parents=True, exist_ok=True)
        if not os.access(folder, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(folder))


@contextlib.contextmanager
def atomic_path(path: Path | str) -> Iterator[Path]:
    """Give a temporary name beside `path`; what was written there gets the name `path` when the block ends well.

    The folder of `path` is made. The file is fsynced before it is renamed, so that a crash at any moment leaves the old
    file or the new one. On any error or Ctrl-C the temporary file is removed. The temporary name keeps the suffix of
    `path` (libraries choose the format by it) and starts with a dot (folder listings skip it). The file gets the
    permissions that any new file gets there, also from safetensors, which makes files only their owner can read.

    Raises
    ------
    UserError
        The disk is full or the folder cannot be written; the message names `path`.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem[:100]}.{secrets.token_hex(4)}.part{path.suffix}")
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.touch()
            mode = stat.S_IMODE(temporary.stat().st_mode)
            temporary.unlink()
            yield temporary
            temporary.chmod(mode)
            _sync(temporary)
            temporary.replace(path)
            _sync_folder(path.parent)
        finally:
            if temporary.is_dir() and not temporary.is_symlink():
                shutil.rmtree(temporary, ignore_errors=True)
            else:
                with contextlib.suppress(OSError):
                    temporary.unlink()


def _sync(path: Path) -> None:
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":  # Windows cannot open a folder; the rename itself is durable there
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: Path | str, content: Any) -> None:
    """Write `content` as JSON, atomically. NaN and infinity, which JSON does not know, raise ValueError."""
    write_text(path, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def write_text(path: Path | str, text: str) -> None:
    """Write text as UTF-8, atomically."""
    with atomic_path(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def read_json(path: Path | str) -> Any:
    """Read a JSON file; UserError when it is absent or damaged."""
    path = Path(path)
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file; run `snakemake --cores all` first, or give results/<dataset>") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); give the folder that a step wrote") from error
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"{path}: not readable as JSON ({error}); remove it and run the step that writes it") from error


def misfit(fault: Exception) -> str:
    """Put in words why the content of a file made no object of a dataclass: which key it lacks, or has too many."""
    if isinstance(fault, KeyError):
        return f"it lacks {fault}"
    named = re.search(r"unexpected keyword argument ('\w+')", str(fault))
    if named:
        return f"it has {named[1]}, which is not known there"
    missing = re.search(r"required (?:positional|keyword-only) arguments?: (.+)", str(fault))
    return f"it lacks {missing[1]}" if missing else str(fault)


def sha256_file(path: Path | str) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
