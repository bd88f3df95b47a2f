"""The same for many, side by side: SciPy and scikit-image let go of Python while they compute."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(function: Callable[[Item], Result], items: Iterable[Item]) -> list[Result]:
    """Call a function for each item, in as many threads as PyTorch may use; results are in the items' order.

    Raises
    ------
    Exception
        The first that a call raises, an interruption included; calls that have not begun are left out then.
    """
    import torch

    with ThreadPoolExecutor(torch.get_num_threads()) as pool:
        return list(pool.map(function, items))
