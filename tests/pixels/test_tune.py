import numpy as np
import pytest

from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.tune import DecoderTrials, decode_maps, decoder_candidates, try_decoders, tune_decoder

from .squares import square_window, true_maps

THRESHOLDS = 10


def trials(counts):
    """Trials of (TP, FP, FN) for each trial and window, the same at every threshold."""
    parameters = tuple(DecoderParameters(h=0.1 * (index + 1)) for index in range(len(counts)))
    return DecoderTrials(parameters, np.repeat(np.array(counts)[:, :, None], THRESHOLDS, axis=2))


def test_the_best_trial_is_of_counts_summed_over_windows():
    tried = trials([[(1, 0, 0), (0, 5, 5)], [(0, 0, 1), (8, 1, 1)]])
    np.testing.assert_allclose(tried.average_precision()[:, 0], [1 / 11, 8 / 11])
    assert tried.best() == 1
    assert tried.best(np.array([True, False])) == 0
    assert tried.best(np.array([False, True])) == 1
    rows = tried.rows()
    assert [row["h"] for row in rows] == [0.2, 0.1]
    assert rows[0]["AP50"] == pytest.approx(8 / 11)


def test_without_objects_there_is_no_division_by_zero():
    tried = trials([[(0, 0, 0)], [(0, 0, 0)]])
    assert tried.best() == 0
    assert tried.average_precision().max() == 0


def test_sizes_come_from_objects_that_no_edge_cuts():
    cut_and_whole = square_window((0, 0, 3), (10, 10, 6))
    first, *others = decoder_candidates([cut_and_whole], 5)
    assert first == DecoderParameters(min_area=18, max_radius=np.sqrt(36 / np.pi))
    assert len(others) == 4
    assert {each.max_radius for each in others} == {first.max_radius}
    assert {each.min_area for each in others} <= {0.2 * 36, 0.5 * 36, 0.8 * 36}
    assert decoder_candidates([cut_and_whole], 5) == (first, *others)
    assert decoder_candidates([cut_and_whole], 1) == (first,)
    assert decoder_candidates([square_window((0, 0, 3))], 1)[0].min_area == 10


def test_objects_at_the_edge_count_neither_way():
    window = square_window((0, 0, 8), (12, 12, 10))
    tried = try_decoders(
        [true_maps(window)], [window], [DecoderParameters(min_area=1), DecoderParameters(min_area=500)]
    )
    assert tried.counts.shape == (2, 1, THRESHOLDS, 3)
    assert tried.counts[:, 0, 0].tolist() == [[1, 0, 0], [0, 0, 1]]


def test_tuning_finds_what_decodes_the_maps():
    window = square_window((3, 3, 10), (3, 13, 10))
    decoder = tune_decoder(HeldOutMaps([window], [true_maps(window)]), trials=8, decoders=3)
    assert np.array_equal(decode_maps(true_maps(window), decoder) > 0, window.labels > 0)
    assert decode_maps(true_maps(window), decoder).max() == 2


def test_counts_of_views_are_those_of_their_window():
    of_windows = trials([[(1, 0, 0), (0, 0, 2)], [(1, 1, 0), (2, 0, 0)]])
    # two views of each of two windows: first one of each, then another of each
    of_views = trials([[(3, 0, 0), (0, 1, 0), (1, 0, 0), (0, 2, 0)], [(0, 0, 4), (1, 0, 0), (0, 0, 0), (1, 0, 0)]])
    summed = of_views.summed(2)
    assert summed.counts[:, :, 0].tolist() == [[[4, 0, 0], [0, 3, 0]], [[0, 0, 4], [2, 0, 0]]]
    both = of_windows.plus(summed)
    assert both.counts[:, :, 0].tolist() == [[[5, 0, 0], [0, 3, 2]], [[1, 1, 4], [4, 0, 0]]]
    assert of_windows.best() == 1
    assert both.best(np.array([True, False])) == 0


def test_the_best_sets_come_first_and_those_clearly_worse_not_at_all():
    # of each trial, AP50 + AP on three windows of 10 objects: 2, 1.8, 1, 1.8; the best has no standard error
    counts = [[(10, 0, 0)] * 3, [(9, 0, 1)] * 3, [(5, 0, 5)] * 3, [(9, 0, 1)] * 3]
    assert trials(counts).best_sets(3) == trials(counts).parameters[:1]
    # the best finds all in two windows and not all in one: that is chance enough for the others
    uneven = trials([[(10, 0, 0), (10, 0, 0), (8, 0, 2)], *counts[1:]])
    assert 0.05 < uneven.standard_error() < 0.2
    assert uneven.best_sets(4) == tuple(uneven.parameters[index] for index in (0, 1, 3))
    assert uneven.best_sets(2) == uneven.parameters[:2]
    first = np.array([True, False, False])
    assert uneven.best_sets(3, first) == uneven.parameters[:1]


def test_the_decoder_is_chosen_by_views_too():
    """Two touching squares whose true maps only some parameters take apart, beside a window that all decode alike."""
    alone, pair = square_window((8, 8, 9)), square_window((3, 3, 10), (3, 13, 10))
    held_out = HeldOutMaps([alone], [true_maps(alone)], [pair], [true_maps(pair)])
    tuned = tune_decoder(held_out, trials=8, decoders=3)
    assert decode_maps(true_maps(pair), tuned).max() == 2
