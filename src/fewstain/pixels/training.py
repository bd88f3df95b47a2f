"""Training of the ensemble: every member at once, each on its own bootstrap of the pixel table."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.table import PixelTable
from fewstain.settings import PixelSettings

DISTANCE_WEIGHT = 2.0


def train_ensemble(
    table: PixelTable,
    columns: Tensor,
    allowed: Sequence[Tensor],
    n_classes: int,
    settings: PixelSettings,
    *,
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> PixelEnsemble:
    """Fit pixel MLPs as one batched network (Efron 1979 for the bootstrap; AdamW, one cycle).

    Parameters
    ----------
    table
        Pixels of all windows.
    columns
        (F,) which of the table's components the members see.
    allowed
        For each member, the pixels it may learn from, as indices into the table; several folds train in one pass.
    n_classes
        Pixel classes K: background, boundary and one interior for each class of objects.
    settings
        Widths, steps, learning rate; `members` is not read, `allowed` has one entry a member.
    seed
        Of initial weights, bootstraps and batches.
    device
        Where to train.

    Returns
    -------
    PixelEnsemble
        On `columns`, in evaluation mode.
    """
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    chosen = table.features
    if not torch.equal(columns, torch.arange(chosen.shape[1])):
        chosen = chosen[:, columns]  # copies
    features = chosen.to(device)
    classes, distance = table.classes.to(device), table.distance.to(device)
    bootstraps = [own[torch.randint(len(own), (len(own),), generator=generator)] for own in allowed]
    ensemble = PixelEnsemble(len(allowed), len(columns), n_classes, settings.hidden, settings.dropout)
    moments = [torch.std_mean(few.float(), dim=0) for few in features.split(16, dim=1)]  # no float32 copy of the table
    ensemble.std.copy_(torch.cat([spread for spread, _ in moments]).clamp_min(1e-4))
    ensemble.mean.copy_(torch.cat([mean for _, mean in moments]))
    ensemble.to(device).train()
    optimiser = torch.optim.AdamW(ensemble.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, settings.learning_rate, settings.steps, pct_start=0.1)
    for _ in range(settings.steps):
        drawn = [own[torch.randint(len(own), (settings.batch_pixels,), generator=generator)] for own in bootstraps]
        batch = torch.stack(drawn).to(device)
        rows = features.index_select(0, batch.flatten()).unflatten(0, batch.shape)  # by whole rows: faster than [batch]
        loss = pixel_loss(ensemble, rows.float(), classes[batch], distance[batch])
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        schedule.step()
    return ensemble.eval()


def pixel_loss(ensemble: PixelEnsemble, features: Tensor, classes: Tensor, distance: Tensor) -> Tensor:
    """Cross-entropy of the classes plus squared error of the distance where it is known; summed over members.

    Parameters
    ----------
    ensemble
        M members.
    features, classes, distance
        (M, B, F), (M, B) int64 and (M, B) float32 with NaN where unknown.
    """
    logits, distance_logit = ensemble(features)
    known = ~distance.isnan()
    error = (distance_logit.sigmoid() - distance.nan_to_num()).square() * known
    entropy = functional.cross_entropy(logits.flatten(0, 1), classes.flatten())
    return len(features) * (entropy + DISTANCE_WEIGHT * error.sum() / known.sum().clamp_min(1))
