"""A button that does one thing."""

from __future__ import annotations

from collections.abc import Callable

from qtpy.QtWidgets import QPushButton


def button(text: str, action: Callable[[], object]) -> QPushButton:
    """Make a button; `action` is called without what Qt tells of the click."""
    made = QPushButton(text)
    made.clicked.connect(lambda: action())
    return made
