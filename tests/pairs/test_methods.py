import numpy as np
import pytest
import torch

from fewstain.evaluate.scores import ScoreSum
from fewstain.pairs.method import Method
from fewstain.pairs.methods import best_method, held_out_methods, leads, reason
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.labeled_window import label_window
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.tune import decode_maps
from fewstain.settings import SegmenterSettings


def test_decoders_are_tried_on_either_models_maps_and_both_take_the_ensembles(monkeypatch):
    """A square that the ensemble believes in with 0.6, the segmenter with 0.1, and so both with 0.45."""
    labels = np.zeros((16, 16), np.int32)
    labels[5:11, 5:11] = 1
    window = label_window(np.zeros((1, 16, 16), np.float32), labels, (0, 0), "a", "a", 1)
    square = torch.from_numpy(labels).float()[None]

    def believed(share):
        inside = share * square
        return HeldOutMaps([window], [PixelMaps(torch.stack([1 - inside, 0 * inside, inside], 1), square, 0 * square)])

    calls = []
    settings = SegmenterSettings(decoder_trials=1, decoders=2)  # the defaults: a foreground of 0.5 or more
    found = held_out_methods(believed(0.6), believed(0.1), settings, 0, lambda: calls.append(1))
    right_wrong_missed = {method: each.trials.counts[0, 0, 0].tolist() for method, each in found.items()}
    assert right_wrong_missed == {"both": [1, 0, 0], "ensemble": [1, 0, 0], "segmenter": [0, 0, 1]}
    taught = []
    monkeypatch.setattr(HeldOutMaps, "teach", lambda maps, decoder, _: taught.append(maps) or decoder)
    assert found[Method.both].decoder().decoders == found[Method.ensemble].decoder().decoders
    assert {name: each.decoder().least_chance for name, each in found.items()} == {
        "both": 0.2,
        "ensemble": 0.3,
        "segmenter": 0.3,
    }
    assert taught[0] is taught[1] is found[Method.ensemble].seen
    assert found[Method.both].seen.maps[0].probabilities[0, 2].max() == pytest.approx(0.45)
    assert all(each.decoder().decoders == each.trials.parameters for each in found.values())
    assert len(calls) == 2
    decoded = [decode_maps(each.seen.maps[0], each.decoder()).max() for each in found.values()]
    assert decoded == [0, 1, 0]


def scored(*found: int) -> ScoreSum:
    """Ten objects of 2 × 2 pixels in each window, of which so many are found."""
    truth = np.zeros((3, 30), np.int32)
    for number in range(10):
        truth[:2, 3 * number : 3 * number + 2] = number + 1
    total = ScoreSum()
    for window, count in enumerate(found):
        total.add(truth, np.where(truth <= count, truth, 0), name=str(window))
    return total


@pytest.mark.parametrize(
    ("ensemble", "segmenter", "expected"),
    [
        ((7, 7, 7, 7), (7, 7, 7, 7), Method.both),  # of equals
        ((7, 7, 7, 6), (6, 7, 7, 7), Method.both),  # behind
        ((10, 5, 7, 7), (7, 7, 7, 7), Method.both),  # ahead by one object, as it happens: 7.25 against 7
        ((8, 8, 7, 7), (7, 7, 7, 7), Method.both),  # ahead in half of the windows: by two standard errors, not more
        ((8, 8, 8, 7), (7, 7, 7, 7), Method.ensemble),  # ahead in most windows
        ((8, 8, 8, 7), (9, 9, 8, 9), Method.segmenter),  # two lead, this one more
        ((0, 0, 0, 0), (0, 0, 0, 0), Method.both),
    ],
)
def test_both_segment_unless_another_leads_by_more_than_chance(ensemble, segmenter, expected):
    scores = {
        Method.both: scored(7, 7, 7, 7),
        Method.ensemble: scored(*ensemble),
        Method.segmenter: scored(*segmenter),
    }
    found = leads(scores)
    assert best_method(found) is expected
    assert found[Method.ensemble][0] == pytest.approx(sum(ensemble) / 40 - 0.7)


@pytest.mark.parametrize(
    ("found", "told"),
    [
        ({"ensemble": (0.04, 0.02)}, "both: no other leads out-of-fold by more than 2 standard errors of the lead"),
        (
            {"ensemble": (0.05, 0.02), "segmenter": (0.25, 0.2)},
            "ensemble: it leads both out-of-fold by +0.050 ± 0.020, by more than 2 standard errors of the lead",
        ),
        (
            {"ensemble": (0.05, 0.02), "segmenter": (0.06, 0.01)},
            "segmenter: it leads both out-of-fold by +0.060 ± 0.010, by more than 2 standard errors of the lead",
        ),
    ],
)
def test_the_reason_of_the_choice_is_told(found, told):
    method = best_method({Method(name): lead for name, lead in found.items()})
    assert f"{method}: {reason(method, found)}" == told
