import numpy as np
import pytest
import torch
from torch.nn import functional

from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.projection import fit_projection

WIDTHS = (3, 7, 5)


@pytest.fixture
def samples():
    rng = np.random.default_rng(0)
    return [
        rng.normal(2, 3, (200, width)).astype(np.float32) @ rng.normal(size=(width, width)).astype(np.float32)
        for width in WIDTHS
    ]


@pytest.fixture
def maps():
    generator = torch.Generator().manual_seed(0)
    return [
        torch.randn(2, width, side, side, generator=generator) for width, side in zip(WIDTHS, (8, 2, 4), strict=True)
    ]


def test_widths(samples):
    assert fit_projection(samples, 4, [True, False, False]).widths == (3, 4, 4)
    assert fit_projection(samples, 6, [False, False, False]).widths == (3, 6, 5)
    assert fit_projection(samples, 0, [False, False, False]).widths == WIDTHS


def test_directions_are_orthonormal_and_hold_most_of_the_variance(samples):
    projection = fit_projection(samples, 2, [False] * 3)
    for sample, mean, std, directions in zip(
        samples, projection.mean, projection.std, projection.directions, strict=True
    ):
        torch.testing.assert_close(directions.T @ directions, torch.eye(2), atol=1e-5, rtol=0)
        standard = (torch.from_numpy(sample) - mean) / std
        kept = (standard @ directions).var(0, correction=0)
        largest = np.linalg.eigvalsh(np.cov(standard.numpy().T, bias=True))[::-1][:2]
        np.testing.assert_allclose(kept.numpy(), largest, rtol=1e-3)


def test_a_constant_channel_stays_finite(maps):
    projection = fit_projection([np.ones((50, 3), np.float32)], 2, [True])
    assert torch.isfinite(projection.apply(maps[:1])[0]).all()


def test_projection_commutes_with_upsampling(samples, maps):
    projection = fit_projection(samples, 2, [False] * 3)
    up = [functional.interpolate(each, (8, 8), mode="bilinear", align_corners=False) for each in maps]
    late = projection.apply(up)
    early = [
        functional.interpolate(each, (8, 8), mode="bilinear", align_corners=False) for each in projection.apply(maps)
    ]
    for a, b in zip(late, early, strict=True):
        torch.testing.assert_close(a, b, atol=1e-4, rtol=0)


@pytest.mark.parametrize("chosen", [(0, 1, 2), (0, 2), (1,)])
def test_an_unfolded_ensemble_on_raw_maps_is_the_ensemble_on_components(samples, maps, chosen):
    projection = fit_projection(samples, 2, [True, False, False]).select(chosen)
    used = [maps[index] for index in chosen]
    torch.manual_seed(0)
    ensemble = PixelEnsemble(2, sum(projection.widths), 3, hidden=(16, 8)).eval()
    ensemble.mean.normal_()
    ensemble.std.uniform_(0.5, 2)
    on_components = ensemble.predict(projection.apply(used), (8, 8))
    on_raw = projection.unfold(ensemble).predict(used, (8, 8))
    for name in ("probabilities", "distance", "uncertainty"):
        torch.testing.assert_close(getattr(on_raw, name), getattr(on_components, name), atol=1e-4, rtol=0)
