"""A private X server where there is no screen, so that the viewer's tests and pictures run anywhere."""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys


def has_display() -> bool:
    """Whether windows can be opened here."""
    return sys.platform in ("win32", "darwin") or bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def start_virtual_display(width: int = 1400, height: int = 900) -> bool:
    """Start Xvfb and point this process at it, before the first window; nothing happens where there is a display.

    OpenGL is Mesa's, in software. Qt's own platform "offscreen" would not do: it has no OpenGL, without which napari
    stops with an error.

    Returns
    -------
    bool
        False when there is no display and no Xvfb to make one with.
    """
    if has_display():
        return True
    program = shutil.which("Xvfb")
    if program is None:
        return False
    read_end, write_end = os.pipe()
    # -displayfd: Xvfb picks a free number itself. -terminate: it ends with its last client, also after a crash.
    server = subprocess.Popen(
        [
            program,
            "-displayfd",
            str(write_end),
            "-terminate",
            "-nolisten",
            "tcp",
            "-screen",
            "0",
            f"{width}x{height}x24",
        ],
        pass_fds=[write_end],
        stderr=subprocess.DEVNULL,
    )
    os.close(write_end)
    with os.fdopen(read_end) as ready:
        number = ready.readline().strip()
    if not number:
        return False
    atexit.register(server.terminate)
    os.environ |= {"DISPLAY": f":{number}", "QT_QPA_PLATFORM": "xcb", "LIBGL_ALWAYS_SOFTWARE": "1"}
    os.environ.setdefault("LP_NUM_THREADS", "2")  # Mesa would take every core
    return True
