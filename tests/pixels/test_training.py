from dataclasses import replace

import torch

from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.table import PixelTable
from fewstain.pixels.training import pixel_loss, train_ensemble
from fewstain.settings import PixelSettings

SETTINGS = PixelSettings(hidden=(16, 8), steps=150, batch_pixels=64, learning_rate=0.02, dropout=0)


def separable(n=600, flip=False):
    """Three classes told apart by the second feature, the distance by the third; the first is noise."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(3, (n,), generator=generator)
    noise, distance = torch.randn(n, generator=generator), torch.rand(n, generator=generator)
    features = torch.stack([noise, 50 + 10.0 * classes + torch.rand(n, generator=generator), distance], dim=1)
    zeros = torch.zeros(n, dtype=torch.int64)
    return PixelTable(features.half(), (2 - classes) if flip else classes, distance, zeros, zeros, zeros)


def predicted(ensemble, table, columns):
    with torch.no_grad():
        logits, distance = ensemble(table.features[:, columns].float().expand(ensemble.members, -1, -1))
    return logits.argmax(-1), distance.sigmoid()


def test_what_can_be_told_apart_is_learned():
    table, columns = separable(), torch.tensor([1, 2])
    everything = torch.arange(len(table))
    ensemble = train_ensemble(table, columns, [everything, everything], 3, SETTINGS)
    classes, distance = predicted(ensemble, table, columns)
    assert (classes == table.classes).float().mean() > 0.98
    assert (distance - table.distance).abs().mean() < 0.1
    assert not ensemble.training
    assert (ensemble.members, ensemble.classes, len(ensemble.mean)) == (2, 3, 2)


def test_unknown_distances_teach_nothing_and_break_nothing():
    table = separable()
    table = replace(table, distance=torch.full_like(table.distance, torch.nan))
    ensemble = train_ensemble(table, torch.arange(3), [torch.arange(len(table))], 3, SETTINGS)
    assert all(torch.isfinite(each).all() for each in ensemble.parameters())
    features = torch.zeros(1, 4, 3)
    known = torch.tensor([[0.5, torch.nan, torch.nan, torch.nan]])
    classes = torch.zeros(1, 4, dtype=torch.int64)
    blank = PixelEnsemble(1, 3, 3, (4, 4))
    alone = pixel_loss(blank, features[:, :1], classes[:, :1], known[:, :1])
    torch.testing.assert_close(pixel_loss(blank, features, classes, known), alone)


def test_a_seed_is_a_result():
    table = separable()
    few = SETTINGS.model_copy(update={"steps": 5, "dropout": 0.2})
    allowed = [torch.arange(len(table))] * 2
    first, again, other = (
        train_ensemble(table, torch.arange(3), allowed, 3, few, seed=s).state_dict() for s in (3, 3, 4)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["weights.0"], other["weights.0"])
    assert not torch.equal(first["weights.0"][0], first["weights.0"][1])


def test_a_member_learns_from_its_own_pixels_only():
    straight, flipped = separable(), separable(flip=True)
    n = len(straight)
    parts = {
        name: torch.cat([getattr(straight, name), getattr(flipped, name)]) for name in PixelTable.__dataclass_fields__
    }
    together = PixelTable(**parts)
    ensemble = train_ensemble(together, torch.arange(3), [torch.arange(n), torch.arange(n, 2 * n)], 3, SETTINGS)
    classes, _ = predicted(ensemble, straight, torch.arange(3))
    assert (classes[0] == straight.classes).float().mean() > 0.95
    assert (classes[1] == flipped.classes).float().mean() > 0.95


def test_standardisation_is_of_the_whole_table():
    table = separable()
    few = SETTINGS.model_copy(update={"steps": 1})
    ensemble = train_ensemble(table, torch.tensor([1, 0]), [torch.arange(10)], 3, few)
    torch.testing.assert_close(ensemble.mean, table.features[:, [1, 0]].float().mean(0), atol=1e-3, rtol=1e-4)
    torch.testing.assert_close(ensemble.std, table.features[:, [1, 0]].float().std(0), atol=1e-3, rtol=1e-3)
