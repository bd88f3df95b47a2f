import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from fewstain.pixels.ensemble import PixelEnsemble, jensen_shannon


def random_ensemble(members, features, classes=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    ensemble = PixelEnsemble(members, features, classes, hidden=(16, 8), dropout=0.5)
    for each in (ensemble.mean, *ensemble.parameters()):
        each.data = torch.randn(each.shape, generator=generator)
    ensemble.std.data = torch.rand(features, generator=generator) + 0.5
    return ensemble.eval()


def plain_outputs(ensemble, features):
    """(members, N, F) -> (members, N, K + 1), layer by layer, of standardised features."""
    rows = (features - ensemble.mean) / ensemble.std
    for number, (weight, bias) in enumerate(zip(ensemble.weights, ensemble.biases, strict=True)):
        rows = (rows.relu() if number else rows) @ weight + bias
    return rows.detach()


def plain_prediction(ensemble, maps, size):
    """Upsample every feature, apply every member to every pixel."""
    upsampled = [functional.interpolate(each, size, mode="bilinear", align_corners=False) for each in maps]
    features = torch.cat(upsampled, dim=1)
    batch, channels = features.shape[:2]
    pixels = features.permute(0, 2, 3, 1).reshape(1, -1, channels).expand(ensemble.members, -1, -1)
    outputs = plain_outputs(ensemble, pixels)
    logits, distance = outputs[..., :-1], outputs[..., -1]
    probabilities = logits.softmax(-1).reshape(ensemble.members, batch, *size, -1).movedim(-1, 2)
    return probabilities, distance.sigmoid().reshape(ensemble.members, batch, *size).mean(0)


SHAPES = st.lists(st.tuples(st.integers(1, 5), st.sampled_from([(2, 3), (4, 6), (8, 12)])), min_size=1, max_size=4)


@settings(max_examples=25)
@given(SHAPES, st.sampled_from([(8, 12), (16, 24), (9, 13)]), st.integers(1, 3), st.integers(1, 2))
def test_small_maps_give_what_upsampled_features_give(shapes, size, members, batch):
    generator = torch.Generator().manual_seed(1)
    maps = [torch.randn(batch, width, *resolution, generator=generator) for width, resolution in shapes]
    ensemble = random_ensemble(members, sum(width for width, _ in shapes))
    before = [each.clone() for each in maps]
    found = ensemble.predict(maps, size)
    probabilities, distance = plain_prediction(ensemble, maps, size)
    torch.testing.assert_close(found.probabilities, probabilities.mean(0), atol=1e-4, rtol=0)
    torch.testing.assert_close(found.distance, distance, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.uncertainty, jensen_shannon(probabilities), atol=1e-4, rtol=0)
    for old, new in zip(before, maps, strict=True):
        assert torch.equal(old, new)


def test_outputs_are_of_standardised_features():
    ensemble = random_ensemble(3, 5)
    features = 100 + torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(2))
    logits, distance = ensemble(features)
    expected = plain_outputs(ensemble, features)
    torch.testing.assert_close(logits, expected[..., :-1], rtol=1e-4, atol=1e-2)
    torch.testing.assert_close(distance, expected[..., -1], rtol=1e-4, atol=1e-2)


def test_select_keeps_the_members():
    ensemble = random_ensemble(3, 4)
    maps = [torch.randn(1, 4, 5, 5)]
    found = ensemble.select([2]).predict(maps, (5, 5))
    probabilities, _ = plain_prediction(ensemble, maps, (5, 5))
    torch.testing.assert_close(found.probabilities, probabilities[2], atol=1e-5, rtol=0)
    assert found.uncertainty.max() < 1e-6


@pytest.mark.parametrize(
    ("members", "expected"),
    [
        ([[0.2, 0.8], [0.2, 0.8]], 0.0),
        ([[1.0, 0.0], [0.0, 1.0]], math.log(2)),
        ([[1.0, 0.0], [0.5, 0.5]], 0.75 * math.log(4 / 3) + 0.25 * math.log(4) - 0.5 * math.log(2)),
        ([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], math.log(3)),
    ],
)
def test_divergence(members, expected):
    probabilities = torch.tensor(members)[:, None, :, None]
    assert jensen_shannon(probabilities).tolist() == [[pytest.approx(expected, abs=1e-6)]]
    alike = [1 / len(members)] * len(members)
    assert jensen_shannon(probabilities, alike).tolist() == [[pytest.approx(expected, abs=1e-6)]]


def test_weighted_divergence_is_that_of_members_who_come_as_often():
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8]])[:, None, :, None]
    three_to_one = jensen_shannon(probabilities[[0, 0, 0, 1]])
    torch.testing.assert_close(jensen_shannon(probabilities, weights=(0.75, 0.25)), three_to_one)
