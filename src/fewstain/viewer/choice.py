"""Objects told by image and label, which stay when rows are sorted or measured anew: the chosen ones, the next one."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fewstain.pixels.decisions import DECISION, Decision

Object = tuple[str, int]
"""Image and label."""


class Choice:
    """The chosen objects, the one chosen first in front."""

    def __init__(self) -> None:
        self.objects: list[Object] = []

    @property
    def last(self) -> Object | None:
        """The one that was chosen last."""
        return self.objects[-1] if self.objects else None

    def take(self, objects: Iterable[Object]) -> bool:
        """Choose these objects and no others; those chosen before keep their places. Tell whether that is new."""
        before, now = dict.fromkeys(self.objects), dict.fromkeys(objects)
        self.objects = [*(each for each in before if each in now), *(each for each in now if each not in before)]
        return before.keys() != now.keys()

    def labels(self, image: str | None) -> list[int]:
        """Labels of those in an image."""
        return [label for name, label in self.objects if name == image]


def next_open(
    table: pd.DataFrame,
    order: NDArray[np.integer],
    image: str | None,
    after: int | None = None,
    *,
    elsewhere: bool = True,
) -> int | None:
    """Find the row that comes next of those that nobody has decided on.

    Parameters
    ----------
    table
        With image and decision, index 0..n-1.
    order : (n,)
        Some of its rows, in the order in which they are gone through.
    image
        The image to begin with; the others follow in turns, in the order in which they come first.
    after
        A row of that image: those behind it come first, those before it and itself when all other images are through.
    elsewhere
        Look in other images, too.

    Returns
    -------
    int or None
        The row; None when all are decided.
    """
    images = table["image"].to_numpy()[order]
    left = table[DECISION].to_numpy()[order] == Decision.OPEN
    here = left & (images == image)
    behind = here & (np.arange(len(order)) > np.flatnonzero(order == after).max(initial=-1))
    first: dict[str, int] = {}
    for name, row in zip(images[left], order[left], strict=True):
        first.setdefault(name, int(row))
    turns = list(dict.fromkeys(images))
    start = turns.index(image) + 1 if image in turns else 0
    others = [first[name] for name in turns[start:] + turns[:start] if name in first and name != image]
    found = [*order[behind][:1], *(others if elsewhere else ()), *order[here][:1]]
    return int(found[0]) if found else None
