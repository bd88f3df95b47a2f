import numpy as np
import pytest
import torch

from fewstain.pixels.labeled_window import label_window
from fewstain.pixels.table import PixelTable, sample_table, window_projection
from fewstain.settings import PixelSettings


class PlaceAndBlur:
    """The image itself (its rows and columns) and a map of half its resolution; notes what it is asked."""

    multiple = 4

    def __init__(self):
        self.asked = []

    def maps(self, images, origin=(0, 0), draw=0):
        self.asked.append((origin, draw))
        return [images, torch.nn.functional.avg_pool2d(images, 2).repeat(1, 3, 1, 1)]


def place_windows():
    rows, columns = np.indices((80, 80), np.float32)
    image = np.stack([rows, columns]) / 100
    labels = np.zeros((32, 32), np.int32)
    labels[4:14, 4:14], labels[20:32, 20:32] = 1, 2
    return [label_window(image, labels, corner, str(corner), "g", 4) for corner in ((0, 0), (40, 44))]


def test_full_resolution_maps_are_kept_whole_and_others_projected():
    extractor = PlaceAndBlur()
    projection = window_projection(extractor, place_windows(), 2, np.random.default_rng(0))
    assert projection.widths == (2, 2)
    torch.testing.assert_close(projection.directions[0], torch.eye(2))
    assert extractor.asked == [((0, 0), 0), ((8, 12), 0)]


def table(views, seed=0, advance=None):
    windows, extractor = place_windows(), PlaceAndBlur()
    projection = window_projection(extractor, windows, 0, np.random.default_rng(0))
    extractor.asked.clear()
    found = sample_table(
        extractor,
        projection,
        windows,
        views=views,
        pixels_per_window=80,
        rng=np.random.default_rng(seed),
        advance=advance,
    )
    return windows, extractor, projection, found


def test_fewer_windows_and_views_give_more_pixels_each():
    settings = PixelSettings(views=6, table_pixels=1200)
    assert [settings.pixels_of_each(windows) for windows in (1, 4, 10, 5000)] == [200, 50, 20, 1]


def test_a_table_is_filled_part_by_part():
    part = PixelTable(
        torch.tensor([[1.0, 2.0], [3.0, 4.0]]).half(),
        torch.tensor([0, 2]),
        torch.tensor([0.5, 0.25]),
        torch.tensor([7, 7]),
        torch.tensor([10, 11]),
        torch.tensor([20, 21]),
    )
    whole = PixelTable.empty(5, 2)
    assert [whole.put(0, part), whole.put(2, part)] == [2, 2]
    filled = whole.first(4)
    assert len(filled) == 4
    assert filled.features.tolist() == [[1, 2], [3, 4], [1, 2], [3, 4]]
    assert filled.classes.tolist() == [0, 2, 0, 2]
    assert filled.distance.tolist() == [0.5, 0.25, 0.5, 0.25]
    assert filled.window.tolist() == [7, 7, 7, 7]
    assert (filled.rows.tolist(), filled.columns.tolist()) == ([10, 11, 10, 11], [20, 21, 20, 21])


def test_the_first_view_is_the_window_as_it_is():
    windows, extractor, projection, found = table(1)
    places = found.features[:, :2].float() * projection.std[0] + projection.mean[0]
    torch.testing.assert_close(places * 100, torch.stack([found.rows, found.columns], 1).float(), atol=0.1, rtol=0)
    assert extractor.asked == [((0, 0), 0), ((8, 12), 0)]
    assert found.features.dtype == torch.float16
    assert sorted(set(found.window.tolist())) == [0, 1]
    for number, row, column, kind, distance in zip(
        found.window, found.rows, found.columns, found.classes, found.distance, strict=True
    ):
        own = windows[number]
        y, x = int(row) - own.source_rows.min(), int(column) - own.source_columns.min()
        assert kind == own.targets.classes[y, x]
        if own.targets.distance_known[y, x]:
            assert distance == own.targets.distance[y, x]
        else:
            assert distance.isnan()
    assert found.distance.isnan().any()


def test_other_views_are_of_the_same_pixels_noised_anew():
    steps = []
    windows, extractor, _, found = table(4, advance=lambda: steps.append(1))
    assert [draw for _, draw in extractor.asked] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert len(steps) == 4
    per_view = len(table(1)[3])
    assert len(found) == pytest.approx(4 * per_view, rel=0.1)  # a window shown smaller may have too few pixels
    truth = np.zeros((80, 80), int)
    for own in windows:
        truth[own.source_rows, own.source_columns] = own.targets.classes
    # boundaries are drawn anew where a window is magnified, but an object's pixel stays one
    assert np.array_equal(truth[found.rows, found.columns] > 0, found.classes > 0)


def test_contrast_differs_between_views_but_stays_in_range():
    _, _, projection, found = table(6)
    intensity = found.features[:, :2].float() * projection.std[0] + projection.mean[0]
    true = torch.stack([found.rows, found.columns], 1) / 100
    assert (intensity - true).abs().max() > 0.02
    assert intensity.abs().max() <= 1.001


def test_a_seed_is_a_table():
    first, again, other = (table(2, seed)[3] for seed in (0, 0, 1))
    assert torch.equal(first.features, again.features)
    assert not torch.equal(first.rows, other.rows)
