import numpy as np
import pytest

from fewstain.check.numbering import are_no_instances, instances_in_pieces, pieces_of_objects


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
    assert are_no_instances(np.zeros((8, 8), int), pieces) == expected


def test_an_image_of_16_bit_is_known_by_its_specks():
    """Hardly any two pixels have the same intensity, so that hardly any "object" is in pieces."""
    intensities = np.random.default_rng(0).integers(500, 4000, (16, 16))
    assert are_no_instances(intensities, pieces_of_objects(intensities))
    # 19 specks may be slips of the brush, and 20 beside as many larger objects, too
    specks = np.arange(1, 39).reshape(1, 38).repeat(2, 0) * (np.arange(38) % 2 == 0)
    assert not are_no_instances(specks, pieces_of_objects(specks))
    cells = np.kron(np.arange(1, 21).reshape(2, 10), np.ones((4, 4), int))
    both = np.vstack([np.pad(cells, ((0, 1), (0, 0))), [[*range(101, 121), *[0] * 20]]])
    assert not are_no_instances(both, pieces_of_objects(both))
