import threading
import time

import pytest
import torch

from fewstain.pixels.threads import in_threads


def test_results_are_in_the_order_of_the_items():
    def later(seconds):
        time.sleep(seconds)
        return seconds

    assert in_threads(later, [0.05, 0.0, 0.02]) == [0.05, 0.0, 0.02]
    assert in_threads(later, []) == []


def test_as_many_run_at_once_as_pytorch_has_threads(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 2)
    meeting = threading.Barrier(2)
    assert sorted(in_threads(lambda _: meeting.wait(timeout=20), range(2))) == [0, 1]


def test_an_interruption_leaves_out_what_has_not_begun(monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: 1)
    begun = []

    def call(number):
        begun.append(number)
        if number == 0:
            raise KeyboardInterrupt
        time.sleep(0.05)

    with pytest.raises(KeyboardInterrupt):
        in_threads(call, range(100))
    assert len(begun) < 10
