"""What a method learns from the pool without labels: once a stain, and as long as our denoiser's training takes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from fewstain.baselines.gan.training import GAN_PRESETS, REGULARISED, train_gan
from fewstain.baselines.mae import MAE_PRESETS
from fewstain.baselines.mae_training import train_mae
from fewstain.baselines.pool_training import within_seconds
from fewstain.dataset import Dataset
from fewstain.diffusion.latent.vae_training import train_vae
from fewstain.diffusion.training import train_diffusion
from fewstain.errors import UserError
from fewstain.presets import VAE_PRESETS
from fewstain.settings import Preset, Settings, TrainingSettings
from fewstain.validation import nearest

SEED = 0  # of every pretraining: one for all seeds of the labels

Train = Callable[..., None]
KINDS: dict[str, tuple[Train, dict[Preset, Any]]] = {
    "mae": (train_mae, MAE_PRESETS),
    "vae": (train_vae, VAE_PRESETS),
    "gan": (train_gan, GAN_PRESETS),
}

PERIODS = {"gan": REGULARISED}
"""Steps after which a training's kinds of step come again, where there is more than one kind."""


def pretrain(
    kind: str,
    dataset: Dataset,
    out: Path,
    state: Path,
    numbers: Settings,
    preset: Preset,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    channels: tuple[int, ...] | None = None,
) -> None:
    """Train a network on the pool, or go on where the last call was stopped.

    Parameters
    ----------
    kind
        "diffusion", or one of `KINDS`.
    dataset
        Only its `images` are read.
    out, state
        As of `train_diffusion`.
    numbers, preset
        Our method's numbers, of which "diffusion" takes its own; the others take those of the preset.
    seconds, steps
        How long the others train; neither is read for "diffusion".
    channels
        Which of the images' channels to use.

    Raises
    ------
    UserError
        An unknown kind, neither seconds nor steps, and as `train_diffusion`.
    """
    if kind == "diffusion":
        train_diffusion(dataset, out, state, numbers.diffusion, channels=channels, seed=SEED)
        return
    if kind not in KINDS:
        raise UserError(f"no pretraining {kind!r}; {nearest(kind, ['diffusion', *KINDS])}")
    train, presets = KINDS[kind]

    def on_pool(to: Path, keep: Path, settings: TrainingSettings) -> None:
        train(dataset, to, keep, settings, channels=channels, seed=SEED)

    settings: TrainingSettings = presets[preset]
    if steps is not None:
        settings = settings.model_copy(update={"steps": steps})
    elif seconds is not None:
        settings = within_seconds(on_pool, settings, seconds, state, PERIODS.get(kind, 1))
    else:
        raise UserError(f"pretraining of {kind}: give --seconds, --steps or --as-long-as")
    on_pool(out, state, settings)
