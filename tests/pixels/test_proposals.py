import numpy as np

from fewstain.pixels import proposals
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.decode import DecoderParameters, decode
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.tune import decode_maps

from .squares import square_window, true_maps


def test_some_windows_come_with_their_views():
    windows = [square_window((8, 8, 9)), square_window((3, 3, 10))]
    held_out = HeldOutMaps(windows, ["a", "b"], [*windows, *windows], ["a1", "b1", "a2", "b2"])
    assert [maps for _, maps in held_out.some()] == ["a", "b", "a1", "b1", "a2", "b2"]
    assert [maps for _, maps in held_out.some(np.array([False, True]))] == ["b", "b1", "b2"]


def grid_of_squares(side, gap):
    return [(row, column, side) for row in range(5, 120, side + gap) for column in range(5, 120, side + gap)]


def test_teaching_tells_what_is_right_from_what_is_wrong():
    """Squares that are labeled, and brighter half as large ones that are not: the maps show both."""
    window = square_window(*grid_of_squares(9, 9), side=140)
    shown = square_window(*grid_of_squares(9, 9), *[(y + 9, x + 9, 5) for y, x, _ in grid_of_squares(9, 9)], side=140)
    held_out = HeldOutMaps([window], [true_maps(shown)])
    decoder = Consensus((DecoderParameters(min_area=1, max_radius=6), DecoderParameters(min_area=1, smoothing=0.1)))
    assert decode_maps(true_maps(shown), decoder).max() == shown.labels.max()
    taught = held_out.teach(decoder)
    np.testing.assert_array_equal(decode_maps(true_maps(shown), taught) > 0, window.labels > 0)
    few = square_window((8, 8, 9))
    assert HeldOutMaps([few], [true_maps(few)]).teach(decoder).score is None


def test_a_window_is_decoded_once_for_all_folds(monkeypatch):
    window = square_window(*grid_of_squares(9, 9), side=140)
    held_out = HeldOutMaps([window, window], [true_maps(window), true_maps(window)])
    decoder = Consensus((DecoderParameters(min_area=1), DecoderParameters(min_area=1, smoothing=0.1)))
    calls = []
    monkeypatch.setattr(proposals, "decode", lambda *given: calls.append(given) or decode(*given))
    first = held_out.teach(decoder)
    assert len(calls) == 4
    assert held_out.teach(decoder, np.array([True, False])).decoders == first.decoders
    assert len(calls) == 4
