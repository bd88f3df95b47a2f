import numpy as np
import pandas as pd

from fewstain.viewer.choice import Choice, next_open

TABLE = pd.DataFrame({"image": list("abcabc"), "label": [1, 1, 1, 2, 2, 2], "decision": ""})
ORDER = np.array([5, 0, 4, 3, 2, 1])  # c a b a c b


def test_those_chosen_before_keep_their_places():
    choice = Choice()
    assert choice.take([("a", 2), ("b", 1)])
    assert choice.take([("a", 1), ("b", 1), ("a", 2)])
    assert choice.objects == [("a", 2), ("b", 1), ("a", 1)]
    assert choice.labels("a") == [2, 1]
    assert choice.last == ("a", 1)
    assert not choice.take([("b", 1), ("a", 1), ("a", 2)])
    assert choice.take([])
    assert choice.last is None


def test_next_goes_through_the_image_then_the_others_in_turns_and_round():
    row, rows = None, []
    image = "a"
    for _ in range(7):
        row = next_open(TABLE, ORDER, image, row)
        image = TABLE["image"][row]
        rows.append(row)
    assert rows == [0, 3, 4, 1, 5, 2, 0]


def test_next_skips_what_is_decided_and_may_stay_in_the_image():
    table = TABLE.assign(decision=["", "", "accepted", "rejected", "accepted", "changed"])
    assert next_open(table, ORDER, "a", 0) == 1
    assert next_open(table, ORDER, "a", 3, elsewhere=False) == 0
    assert next_open(table, ORDER, "c", elsewhere=False) is None
    assert next_open(table, ORDER, "c") == 0
    assert next_open(table, ORDER[:0], "c") is None
    assert next_open(table, ORDER, None) == 0
