"""What a method learns from the pool without labels: once a stain, and as long as our denoiser's training takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from fewstain.baselines.gan.training import REGULARISED, train_gan
from fewstain.baselines.mae_training import train_mae
from fewstain.baselines.pool_training import within_seconds
from fewstain.benchmark.identity import POOL_PRESETS
from fewstain.benchmark.trial import refuse_tests_in_pool
from fewstain.dataset import Dataset
from fewstain.diffusion.latent.vae_training import train_vae
from fewstain.diffusion.training import train_diffusion
from fewstain.errors import UserError
from fewstain.settings import Preset, Settings, TrainingSettings
from fewstain.validation import nearest

SEED = 0  # of every pretraining: one for all seeds of the labels

Train = Callable[..., None]
KINDS: dict[str, tuple[Train, Mapping[Preset, TrainingSettings]]] = {
    "mae": (train_mae, POOL_PRESETS["mae"]),
    "vae": (train_vae, POOL_PRESETS["vae"]),
    "gan": (train_gan, POOL_PRESETS["gan"]),
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
        Only its `images` are learned from; none may be one of `test`.
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
        An unknown kind, neither seconds nor steps, a test image in the pool, and as `train_diffusion`.
    """
    refuse_tests_in_pool(dataset.root)
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
