"""Which windows are held out together, so that no score is of what was learned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from torch import Tensor

from fewstain.dataset import LABEL_MORE, LEAST_WINDOWS, TOO_FEW_WINDOWS
from fewstain.errors import UserError
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.table import PixelTable

LEAST_GROUPS = 3
Places = TypeVar("Places", Tensor, NDArray)
MARGIN = 32  # pixels around a held-out window that nothing is learned from, where folds share an image


def assign_folds(windows: Sequence[LabeledWindow], folds: int, seed: int = 0) -> NDArray[np.int64]:
    """Give each window its fold: by image, or by place where there are fewer than three images.

    Parameters
    ----------
    windows
        At least two, pieces of a large label counted one by one.
    folds
        At most this many; fewer where there are fewer images or windows.
    seed
        Which images come together.

    Returns
    -------
    ndarray
        (len(windows),) int64 fold, 0 .. n - 1.

    Raises
    ------
    UserError
        Too few windows.
    """
    if len(windows) < LEAST_WINDOWS:
        raise UserError(f"labeled windows: {len(windows)}, but {TOO_FEW_WINDOWS}; {LABEL_MORE}")
    groups = [window.group for window in windows]
    n_groups = len(set(groups))
    fold = np.zeros(len(windows), np.int64)
    if n_groups >= LEAST_GROUPS:
        splitter = GroupKFold(min(folds, n_groups), shuffle=True, random_state=seed)
        for index, (_, held_out) in enumerate(splitter.split(groups, groups=groups)):
            fold[held_out] = index
        return fold
    order = sorted(range(len(windows)), key=lambda i: (groups[i], *windows[i].origin))
    for index, together in enumerate(np.array_split(np.array(order), min(folds, len(windows)))):
        fold[together] = index
    return fold


def spatially_blocked(windows: Sequence[LabeledWindow]) -> bool:
    """Whether the windows come from so few images that folds share them."""
    return len({window.group for window in windows}) < LEAST_GROUPS


def learnable(table: PixelTable, windows: Sequence[LabeledWindow], fold: NDArray[np.int64], held_out: int) -> Tensor:
    """Which pixels of the table may be learned from when a fold is held out.

    Parameters
    ----------
    table, windows, fold
        Pixels, their windows and the windows' folds.
    held_out
        The fold. Its windows' pixels are excluded, and pixels of the same image within `MARGIN` of them.

    Returns
    -------
    Tensor
        (n,) int64 indices into the table.
    """
    excluded = torch.from_numpy(fold == held_out)[table.window]
    groups = np.array([window.group for window in windows])
    for window, of_window in zip(windows, fold, strict=True):
        if of_window == held_out:
            same = torch.from_numpy(groups == window.group)[table.window]
            excluded |= same & within_margin(table.rows, table.columns, window)
    return torch.nonzero(~excluded)[:, 0]


def within_margin(rows: Places, columns: Places, window: LabeledWindow) -> Places:
    """Whether places of a window's source image lie in the window or within `MARGIN` of it.

    Parameters
    ----------
    rows, columns
        Of the same shape.
    window
        As it is, not turned.

    Returns
    -------
    Tensor or ndarray
        Of that shape, bool.
    """
    (top, bottom), (left, right) = (
        (int(each.min()) - MARGIN, int(each.max()) + MARGIN) for each in (window.source_rows, window.source_columns)
    )
    return (rows >= top) & (rows <= bottom) & (columns >= left) & (columns <= right)
