"""A function in a process of its own, so that what kills it kills nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from types import FrameType
from typing import Any

from fewstain.errors import UserError
from fewstain.logfile import added_output, log_file

STOPS = {signal.SIGINT, signal.SIGTERM} | {
    getattr(signal, name) for name in ("SIGHUP", "SIGQUIT") if hasattr(signal, name)
}
"""Signals by which somebody stops a program; any other that ends one is the system's or its own."""

GRACE_S = 5  # a terminal's Ctrl-C reaches both: a training saves its state, and a second signal would stop it at once
PATIENCE_S = 20  # for a process that was asked to stop, before it is killed


def in_child(function: Callable[..., Any], *given: Any) -> str | None:
    """Call a function in a new process, and wait for it.

    Ctrl-C and SIGTERM, which a scheduler sends, end both processes; the other also ends where this one is killed.

    Parameters
    ----------
    function, given
        What can be pickled; what it returns is lost.

    Returns
    -------
    str or None
        None where it returned; else how its process ended: "killed by signal 9 (SIGKILL)".

    Raises
    ------
    UserError
        The function raised it.
    RuntimeError
        The function raised something else; what it was is printed.
    KeyboardInterrupt, SystemExit
        Somebody stopped one of the two.
    """
    # a fork would have this one's threads and memory: spawned, it is as if started by hand
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_call, args=(theirs, log_file(), function, given))
    with _terminable():
        process.start()
        try:
            theirs.close()
            process.join()
        finally:
            process.join(GRACE_S)
            if process.is_alive():
                process.terminate()
                process.join(PATIENCE_S)
                process.kill()
    return _how_it_ended(process.exitcode or 0, ours)


def _call(told: Connection, log: Path | None, function: Callable[..., Any], given: tuple[Any, ...]) -> None:
    """Run in the child: call, and tell of an error that is for the parent to raise."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with _terminable(), added_output(log):  # what is open is closed, and what was started is stopped
        try:
            function(*given)
        except (UserError, KeyboardInterrupt) as error:
            told.send(error)
        except Exception:
            traceback.print_exc()
            sys.exit(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def _how_it_ended(code: int, ours: Connection) -> str | None:
    try:
        told = ours.recv() if ours.poll() else None
    except EOFError:  # it ended and said nothing
        told = None
    if told is not None:
        raise told
    if code == 0:
        return None
    if code == 1:
        raise RuntimeError("the process of the benchmark failed; its traceback is above")
    if code - 128 in STOPS:
        raise SystemExit(code)
    if code > 0:
        return f"ended with exit code {code}"
    if -code in STOPS:
        raise KeyboardInterrupt
    try:
        return f"killed by signal {-code} ({signal.Signals(-code).name})"
    except ValueError:  # one that has no name
        return f"killed by signal {-code}"


@contextmanager
def _terminable() -> Iterator[None]:
    """Within the block SIGTERM raises SystemExit, as StopRequest does; only in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: FrameType | None) -> None:
        sys.exit(128 + number)

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
