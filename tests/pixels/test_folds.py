import numpy as np
import pytest
import torch

from fewstain.errors import UserError
from fewstain.pixels.folds import MARGIN, assign_folds, learnable, spatially_blocked
from fewstain.pixels.labeled_window import label_window
from fewstain.pixels.table import PixelTable

SIDE = 48


def windows_at(*places):
    """Windows of 48² at (group, y, x)."""
    image = np.zeros((1, 400, 400), np.float32)
    labels = np.ones((SIDE, SIDE), np.int32)
    return [label_window(image, labels, (y, x), f"{group}{y}-{x}", group, 8) for group, y, x in places]


def table_of(windows):
    """Every pixel of every window."""
    places = [
        (n, r, c) for n, w in enumerate(windows) for r, c in zip(w.source_rows.flat, w.source_columns.flat, strict=True)
    ]
    number, rows, columns = torch.tensor(places).T
    return PixelTable(torch.zeros(len(rows), 1), torch.zeros_like(rows), torch.zeros(len(rows)), number, rows, columns)


def test_windows_of_one_image_share_a_fold():
    windows = windows_at(*((group, y, 0) for group in "abcd" for y in (0, 100, 200)))
    fold = assign_folds(windows, 3)
    of_group = {group: {int(f) for f, w in zip(fold, windows, strict=True) if w.group == group} for group in "abcd"}
    assert all(len(folds) == 1 for folds in of_group.values())
    assert set(fold) == {0, 1, 2}
    assert not spatially_blocked(windows)
    assert set(assign_folds(windows, 10)) == {0, 1, 2, 3}
    assert (assign_folds(windows, 3, seed=0) == assign_folds(windows, 3, seed=0)).all()


def test_one_window_cannot_be_held_out():
    with pytest.raises(UserError, match=r"labeled windows: 1, but each choice is checked on .*, which takes 2; label"):
        assign_folds(windows_at(("a", 0, 0)), 3)


def test_fewer_than_three_images_are_cut_into_blocks():
    windows = windows_at(("b", 0, 0), ("a", 200, 0), ("a", 0, 0), ("a", 0, 100))
    assert spatially_blocked(windows)
    assert assign_folds(windows, 4).tolist() == [3, 2, 0, 1]
    assert assign_folds(windows, 2).tolist() == [1, 1, 0, 0]
    assert assign_folds(windows[:2], 4).tolist() == [1, 0]


@pytest.mark.parametrize("held_out", range(4))
def test_nothing_is_learned_near_a_held_out_window_of_the_same_image(held_out):
    windows = windows_at(("a", 0, 0), ("a", 0, 70), ("a", 100, 40), ("b", 0, 60))
    table = table_of(windows)
    fold = np.arange(4)
    own = windows[held_out]
    allowed = learnable(table, windows, fold, held_out)
    learned = torch.zeros(len(table), dtype=torch.bool)
    learned[allowed] = True
    outside = [
        torch.maximum(int(places.min()) - own_places, own_places - int(places.max())).clamp_min(0)
        for own_places, places in ((table.rows, own.source_rows), (table.columns, own.source_columns))
    ]
    same = torch.tensor([window.group == own.group for window in windows])[table.window]
    near = same & (torch.maximum(*outside) <= MARGIN)
    assert torch.equal(learned, ~near)
    assert near.sum() > SIDE**2 or held_out > 1


def test_other_images_are_learned_whole():
    windows = windows_at(("a", 0, 0), ("b", 0, 0), ("c", 0, 0))
    table = table_of(windows)
    assert (table.window[learnable(table, windows, np.array([0, 1, 2]), 1)] != 1).all()
    assert len(learnable(table, windows, np.array([0, 1, 2]), 1)) == 2 * SIDE**2
