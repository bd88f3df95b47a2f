"""Pairs that were painted from memory, as the command tells of them."""

import pytest

from fewstain.cli.pairs import told
from fewstain.cli.run import run
from fewstain.pairs.filters import Limits
from fewstain.pairs.gather import Gathered


def test_edits_of_own_images_that_repaint_nothing_are_dropped_as_copies(stain, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("fewstain.pairs.limits.Limits", lambda **given: Limits(**(given | {"plausible": 0})))
    out = tmp_path / "pairs"
    words = ["pairs", str(stain / "results"), "--out", str(out), "--kind", "edit", "--from", str(stain / "data")]
    words += ["--strength", "0", "--max-distance", "1e9", "--min-agreement", "0", "--side", "32", "-n", "2"]
    assert run(words) == 2
    error = capsys.readouterr().err
    assert "none of 2 pairs is kept: 2 by memorised copy dropped; raise --strength" in error
    assert not out.exists()


@pytest.mark.parametrize(
    ("dropped", "memorised", "expected"),
    [
        ({}, 0, "wrote pairs: 5 of 5 pairs kept"),
        (
            {"no objects": 2, "memorised copy": 1},
            2,
            "wrote pairs: 2 of 5 pairs kept, 1 dropped by memorised copy, 2 dropped by no objects; "
            "2 of all are copies of training images",
        ),
    ],
)
def test_the_command_tells_what_was_dropped_and_how_many_are_copies(dropped, memorised, expected):
    assert told("pairs", Gathered(5, 5 - sum(dropped.values()), dropped, memorised)) == expected
