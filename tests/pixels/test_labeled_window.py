import itertools

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from fewstain.pixels.labeled_window import CONTEXT, label_window
from fewstain.pixels.targets import pixel_targets


def numbered(height=150, width=170):
    """An image whose every pixel tells its place, and labels cut out of a field of squares."""
    rows, columns = np.indices((height, width), np.float32)
    labels = ((rows // 10) * 100 + columns // 10 + 1).astype(np.int32)
    return np.stack([rows, columns]), labels


@pytest.mark.parametrize(("corner", "multiple"), [((50, 60), 8), ((0, 0), 8), ((110, 130), 16), ((35, 33), 1)])
def test_a_window_lies_in_its_surroundings(corner, multiple):
    image, labels = numbered()
    cut = labels[corner[0] : corner[0] + 40, corner[1] : corner[1] + 40]
    window = label_window(image, cut, corner, "w", "g", multiple)
    assert all(side % multiple == 0 for side in (*window.image.shape[1:], *window.origin))
    assert_array_equal(window.image[0, 0, 0], window.origin[0])
    assert_array_equal(window.image[:, *window.inside], np.stack([window.source_rows, window.source_columns]))
    assert_array_equal(window.labels, cut)
    context = (window.top, window.left)
    for start, before, limit in zip(corner, context, (150, 170), strict=True):
        assert before == start if start < CONTEXT else CONTEXT <= before < CONTEXT + multiple
        assert start + 40 <= limit
    assert np.isfinite(window.image.numpy()).all()


@pytest.mark.parametrize(("turns", "mirrored"), list(itertools.product(range(4), (False, True))))
def test_all_eight_symmetries_keep_everything_together(turns, mirrored):
    image, labels = numbered()
    window = label_window(image, labels[100:130, 20:60], (100, 20), "w", "g", 8)
    turned = window.turned(turns, mirrored)
    assert turned.labels.shape == ((30, 40) if turns % 2 == 0 else (40, 30))
    rows, columns = turned.source_rows, turned.source_columns
    assert_array_equal(turned.image[:, *turned.inside], np.stack([rows, columns]))
    assert_array_equal(turned.labels, labels[rows, columns])
    assert (turned.origin, turned.name, turned.group) == (window.origin, "w", "g")
    for name in ("classes", "distance", "distance_known"):
        plain = np.zeros((150, 170))
        plain[100:130, 20:60] = getattr(window.targets, name)
        assert_array_equal(getattr(turned.targets, name), plain[rows, columns])
    expected = pixel_targets(turned.labels)
    assert_array_equal(turned.targets.classes, expected.classes)
    np.testing.assert_allclose(turned.targets.distance, expected.distance)
    assert_array_equal(turned.targets.distance_known, expected.distance_known)


@pytest.mark.parametrize("factor", [0.6, 1.0, 1.5])
def test_at_another_magnification_everything_keeps_together(factor):
    image, labels = numbered()
    window = label_window(image, labels[40:104, 50:114], (40, 50), "w", "g", 8, {406: 0, 1: 1})
    seen = window.magnified(factor)
    assert all(side % 8 == 0 for side in seen.image.shape[1:])
    assert seen.labels.shape[0] == pytest.approx(64 * factor, abs=3)
    assert_array_equal(seen.labels, labels[seen.source_rows, seen.source_columns])
    shown = seen.image[:, *seen.inside].numpy()
    np.testing.assert_allclose(shown, np.stack([seen.source_rows, seen.source_columns]), atol=1.5)
    assert_array_equal(seen.targets.classes, pixel_targets(seen.labels).classes)
    assert seen.class_of_label == {406: 0}


@pytest.mark.parametrize(
    ("first", "rows", "columns"),
    [
        ((0, 0), (0, 64), (10, 64)),  # in the corner: only where it was cut labels keep away
        ((20, 40), (52, 84), (72, 104)),
        ((54, 74), (86, 140), (106, 150)),
    ],
)
def test_a_part_keeps_everything_together_and_away_from_where_it_was_cut(first, rows, columns):
    image, labels = numbered()
    window = label_window(image, labels[:140, 10:150], (0, 10), "w", "g", 1, {101: 0, 1608: 1})
    part = window.part(first, 96)
    assert part.image.shape == (2, 96, 96)
    assert part.origin == first
    assert_array_equal(part.image[:, *part.inside], np.stack([part.source_rows, part.source_columns]))
    assert_array_equal(part.labels, labels[slice(*rows), slice(*columns)])
    assert_array_equal(part.targets.classes, window.targets.classes[slice(*rows), columns[0] - 10 : columns[1] - 10])
    assert part.class_of_label == {label: kind for label, kind in {101: 0, 1608: 1}.items() if label in part.labels}
