"""A log file that takes what is printed, while the terminal shows it all the same."""

from __future__ import annotations

import contextlib
import re
import shlex
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, TextIO

from fewstain import __version__
from fewstain.errors import UserError
from fewstain.storage import write_errors_named

_CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Log:
    """Lines for people, added to a file while its disk takes them: a full disk must not hide what went wrong."""

    def __init__(self, file: TextIO) -> None:
        self.name = file.name
        self._file: TextIO | None = file

    def add(self, text: str) -> None:
        """Write through to the file; do nothing once that has failed."""
        if self._file is not None:
            try:
                self._file.write(text)
                self._file.flush()
            except OSError:
                self._file = None


def log_file() -> Path | None:
    """Tell the file that `tee_output` copies to just now; None where there is none."""
    return Path(sys.stderr.log.name) if isinstance(sys.stderr, Tee) else None


@contextlib.contextmanager
def added_output(path: Path | None) -> Iterator[None]:
    """Within the block, copy standard output and error to the log of the process that started this one, if any."""
    if path is None:
        yield
        return
    out, err = sys.stdout, sys.stderr
    with path.open("a", encoding="utf-8") as file:
        log = Log(file)
        sys.stdout, sys.stderr = Tee(out, log), Tee(err, log)
        try:
            yield
        finally:
            sys.stdout, sys.stderr = out, err


class Tee:
    """A text stream that passes everything on, and copies finished lines to a log.

    A progress bar draws itself again and again over the same line; what does so is not copied.
    """

    def __init__(self, stream: TextIO, log: Log) -> None:
        self._stream, self.log = stream, log

    def write(self, text: str) -> int:
        """Write to both."""
        if "\r" not in text and "\x1b[1A" not in text:
            self.log.add(_CONTROL.sub("", text))
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextlib.contextmanager
def tee_output(path: Path, title: str) -> Iterator[None]:
    """Within the block, copy standard output and error to `path`, with an error that ends the block."""
    with write_errors_named(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
        file = path.open("a", encoding="utf-8")  # so that a process that this one starts may add to it
    out, err = sys.stdout, sys.stderr
    log = Log(file)
    log.add(f"# {datetime.now().astimezone():%Y-%m-%d %H:%M:%S %z}  fewstain {__version__} {title}\n")
    log.add(f"# {shlex.join(sys.argv)}\n")
    sys.stdout, sys.stderr = Tee(out, log), Tee(err, log)
    try:
        yield
    except UserError as error:
        log.add(f"fewstain: {error}\n")
        raise
    except KeyboardInterrupt:
        log.add("fewstain: stopped\n")
        raise
    except Exception as error:
        log.add(f"{type(error).__name__}: {error}\n")
        raise
    finally:
        sys.stdout, sys.stderr = out, err
        with contextlib.suppress(OSError):  # what a full disk did not take is tried again when the file is closed
            file.close()
