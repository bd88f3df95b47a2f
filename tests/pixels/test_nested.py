import numpy as np
import torch

from fewstain.pixels.decode import DecoderParameters
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.held_out import HeldOut, winner
from fewstain.pixels.labeled_window import label_window
from fewstain.pixels.nested import nested_sum, scores_of
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.tune import try_decoders

DECODERS = (DecoderParameters(min_area=1), DecoderParameters(min_area=150))


def window(name, *lengths, classes=None):
    """Squares of these lengths, one below the other, none at the edge."""
    labels, top = np.zeros((40, 40), np.int32), 3
    for index, length in enumerate(lengths):
        labels[top : top + length, 5 : 5 + length] = index + 1
        top += length + 3
    image = np.zeros((1, 40, 40), np.float32)
    return label_window(image, labels, (0, 0), name, name, 1, classes)


def maps_of(own, foreground=None, classes=1):
    """True maps of a window, or of another foreground."""
    targets = own.targets
    probabilities = np.stack([targets.classes == each for each in range(2 + classes)]).astype(np.float32)
    distance = targets.distance
    if foreground is not None:
        probabilities = np.stack([~foreground, foreground & False, foreground]).astype(np.float32)
        distance = foreground.astype(np.float32)
    return PixelMaps(torch.from_numpy(probabilities)[None], torch.from_numpy(distance)[None], torch.zeros(1, 40, 40))


def best_of(*candidates):
    """Choose one of the candidates, and its best decoder."""

    def choose(windows):
        best = winner(candidates, windows)
        return best.seen.maps, best.decoder(1, windows)

    return choose


def candidate(maps, windows):
    return HeldOut(HeldOutMaps(windows, maps), try_decoders(maps, windows, DECODERS))


def test_the_decoder_of_a_fold_is_chosen_on_the_others():
    # small objects are real in the first window, specks in the other two
    windows = [window("a", 5, 5), window("b", 14), window("c", 14)]
    speck = np.zeros((40, 40), bool)
    speck[30:33, 30:33] = True
    maps = [maps_of(windows[0]), *(maps_of(each, (each.labels > 0) | speck) for each in windows[1:])]
    only = candidate(maps, windows)
    assert only.trials.best(np.array([True, False, False])) == 0
    assert only.trials.best(np.array([False, True, True])) == 1
    scores = scores_of(nested_sum(windows, np.array([0, 1, 2]), best_of(only)))
    # a loses both its objects to the large min_area that b and c ask for, b and c keep the specks that a asks for;
    # chosen on all three windows, the first decoder would find all 4
    assert (scores["TP"], scores["FP"], scores["FN"]) == (2, 2, 2)
    assert scores["n_images"] == scores["n_windows"] == 3
    assert (scores["count_bias"], scores["count_relative_bias"]) == (0, 0)


def test_the_candidate_of_a_fold_are_chosen_on_the_others():
    windows = [window("a", 12), window("b", 12)]
    nothing = np.zeros((40, 40), bool)
    sees_a = candidate([maps_of(windows[0]), maps_of(windows[1], nothing)], windows)
    sees_b = candidate([maps_of(windows[0], nothing), maps_of(windows[1])], windows)
    scores = scores_of(nested_sum(windows, np.array([0, 1]), best_of(sees_a, sees_b)))
    # with the held-out fold in the choice this would be 2 of 2
    assert (scores["TP"], scores["FN"], scores["AP50"]) == (0, 2, 0)


def test_classes_are_scored_where_there_are_some():
    windows = [window(name, 8, 8, classes={1: 0, 2: 1}) for name in "ab"]
    maps = [maps_of(each, classes=2) for each in windows]
    scores = scores_of(nested_sum(windows, np.array([0, 1]), best_of(candidate(maps, windows)), ("round", "long")))
    assert set(scores["IoU"]) == {"background", "round", "long"}
    assert scores["mIoU"] > 0.9
    assert scores["AP50"] == 1
