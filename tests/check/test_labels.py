import numpy as np

from fewstain.check.labels import instances_in_pieces


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
    assert instances_in_pieces(np.zeros((3, 3), int)) == []
