"""Which batches are found, and which are deleted, where several requests share a folder."""

import shutil

import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.images.read import read_header
from fewstain.pairs.batches import IMAGES, batch_folder, forget_others, last_asked_for, make_batches, open_state
from fewstain.pairs.generators import BatchedGenerator, Pair, PairGenerator, batch_numbers
from fewstain.pairs.scores import PairScores


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


@pytest.fixture
def request_of(state, tmp_path):
    """Give a function that opens the batches of a request for out/NAME, with one batch made."""

    def opened(request, name):
        folder = open_state(state, {"n": request}, tmp_path / "out" / name)
        batch_folder(folder, 0).mkdir(exist_ok=True)
        return folder

    return opened


def test_batches_of_another_out_and_what_is_no_batches_folder_are_left(state, request_of, tmp_path):
    finished = [state / name for name in ("pairs", "0123456789ab")]  # the second is called as batches are
    for folder in finished:
        folder.mkdir(parents=True)
        for name in ("pairs.json", "request.json"):
            (folder / name).write_text('{"n": 1}')
    first, other, last = request_of(1, "a"), request_of(2, "b"), request_of(3, "a")
    forget_others(last, tmp_path / "out" / "a")
    assert [folder.is_dir() for folder in (first, other, last, *finished)] == [False, True, True, True, True]


def test_batches_that_serve_two_folders_are_left_to_the_other_one(request_of, tmp_path):
    shared = request_of(1, "a")
    assert request_of(1, "b") == shared
    forget_others(request_of(2, "a"), tmp_path / "out" / "a")
    assert shared.is_dir()
    forget_others(request_of(2, "b"), tmp_path / "out" / "b")
    assert not shared.is_dir()


def test_the_last_request_of_the_same_out_is_gathered(state, request_of, tmp_path):
    first, other = request_of(1, "a"), request_of(2, "b")
    assert last_asked_for(state, tmp_path / "out" / "a") == first
    assert last_asked_for(state, tmp_path / "out" / "b") == last_asked_for(state) == other
    with pytest.raises(UserError, match=r"pairs for \.\./out/a, \.\./out/b there, and none for .*c; give the --out"):
        last_asked_for(state, tmp_path / "out" / "c")


def test_the_only_request_may_be_gathered_elsewhere(state, request_of, tmp_path):
    with pytest.raises(UserError, match="no pairs there; run `fewstain pairs`"):
        last_asked_for(state, tmp_path / "out" / "a")
    only = request_of(1, "a")
    assert last_asked_for(state, tmp_path / "elsewhere") == only


def test_folders_that_were_moved_together_still_belong_together(state, request_of, tmp_path):
    own = [request_of(request, name).name for request, name in ((1, "a"), (2, "b"))]
    shutil.move(state, tmp_path / "moved" / "state")
    assert last_asked_for(tmp_path / "moved" / "state", tmp_path / "moved" / "out" / "a").name == own[0]


class Black(BatchedGenerator):
    """Makes black pairs of three channels of 8 bits."""

    def __init__(self, rgb):
        super().__init__(1)
        self.rgb = rgb

    def batch(self, numbers, seed):
        return [Pair(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.int32), PairScores(0, 0.0, 1.0), self.rgb)]


@pytest.mark.parametrize("rgb", [True, False])
def test_files_say_whether_three_channels_are_colours(state, tmp_path, rgb):
    folder = open_state(state, {"n": 1}, tmp_path / "out")
    assert make_batches(Black(rgb), folder, range(1), 1, 0) == 1
    (image,) = (batch_folder(folder, 0) / IMAGES).iterdir()
    assert (read_header(image).channels, read_header(image).rgb) == (3, rgb)


class Counted(BatchedGenerator):
    """Makes pairs that tell their number and seed."""

    def batch(self, numbers, seed):
        return [
            Pair(np.full((1, 1, 1), number), np.full((1, 1), seed), PairScores(number, 0.0, 1.0)) for number in numbers
        ]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 8])
def test_generated_pairs_are_those_of_the_batches(batch_size):
    generator: PairGenerator = Counted(batch_size)
    pairs = list(generator.generate(5, 7))
    assert [(int(pair.image.item()), int(pair.labels.item())) for pair in pairs] == [(i, 7) for i in range(5)]
    batches = [generator.batch(batch_numbers(number, 5, batch_size), 7) for number in range(-(-5 // batch_size))]
    assert [pair.scores for batch in batches for pair in batch] == [pair.scores for pair in pairs]
