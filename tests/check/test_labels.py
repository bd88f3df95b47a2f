import numpy as np
import pytest

from fewstain.check.labels import are_no_instances, instances_in_pieces, pieces_of_objects


def test_instances_in_pieces():
    labels = np.array(
        [
            [1, 0, 2, 2, 0],
            [0, 1, 0, 0, 3],
            [4, 0, 0, 3, 0],
            [0, 0, 0, 0, 4],
        ]
    )
    assert instances_in_pieces(labels) == [4]
    assert pieces_of_objects(labels) == {1: 1, 2: 1, 3: 1, 4: 2}
    assert instances_in_pieces(np.zeros((3, 3), int)) == []


@pytest.mark.parametrize(
    ("pieces", "expected"),
    [
        ({}, False),
        ({1: 1}, False),
        ({1: 3}, False),  # one object that an edge cuts
        ({1: 5}, True),
        ({255: 1}, False),
        ({255: 2}, True),
        ({1: 2, 2: 2}, False),
        ({1: 4, 2: 2}, True),
        ({1: 20, 2: 1}, False),  # half of the objects
        ({1: 20, 2: 2, 3: 1}, True),
    ],
)
def test_masks_of_foreground_are_known_by_their_pieces(pieces, expected):
    assert are_no_instances(pieces) == expected
