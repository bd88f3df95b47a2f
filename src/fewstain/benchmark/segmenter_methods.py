"""Methods that train a segmenter on the labels: random forests, U-Nets, Cellpose and DatasetGAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.state import PartialState
from numpy.typing import NDArray
from torch import Tensor

from fewstain.baselines.cellpose import Cellpose
from fewstain.baselines.gan.segmenter import DatasetGanSegmenter
from fewstain.baselines.gan.training import Gan, load_gan
from fewstain.baselines.presets import UNET_PRESETS
from fewstain.baselines.segmenter import PixelSegmenter
from fewstain.baselines.tuned import tune_fitted, tune_segmenter
from fewstain.baselines.unet import UNetSegmenter
from fewstain.benchmark.feature_methods import components_of
from fewstain.benchmark.interface import Find, Fitted, Trial
from fewstain.pixels.tune import decode_maps
from fewstain.settings import PixelSettings

FOLD_SHARE = 0.25  # of the seconds of the last training, for that of each fold, by which only the decoder is chosen


def fit_forest(trial: Trial) -> Fitted:
    """Random forests on classical filters."""
    from fewstain.baselines.forest import ForestSegmenter

    fitted, notes = _fit_segmenter(trial, lambda share: ForestSegmenter(seed=trial.seed))
    return Fitted(fitted.find, fitted.segmenter.nodes, notes)


def fit_unet(trial: Trial) -> Fitted:
    """Train a U-Net from scratch on the labels of the trial, which may be all there are."""
    fitted, notes = _fit_segmenter(trial, lambda share: _unet(trial, share))
    return Fitted(fitted.find, fitted.segmenter.parameters, notes | {"steps": fitted.segmenter.steps_done})


def fit_cellpose(trial: Trial) -> Fitted:
    """Train Cellpose, from random weights where none are given; its own decoder, scaled by the objects' diameter."""
    normaliser, channels = trial.normaliser(), list(trial.chosen_channels())
    given = trial.options.get("cellpose_weights")
    python, weights = Path(trial.options["cellpose"]), None if given is None else Path(given)
    cellpose = Cellpose(python, trial.work / "cellpose", **trial.budget(), seed=trial.seed, weights=weights)
    cellpose.fit(trial.windows(normaliser))
    facts = dict(cellpose.facts)
    return Fitted(
        lambda pixels: cellpose.find(normaliser.apply(pixels[..., channels])),
        int(facts.pop("parameters")),
        facts,
        cellpose.close,
    )


def fit_datasetgan(trial: Trial) -> Fitted:
    """Label what a generator paints by crops projected into it, and train a U-Net on that and on the windows."""
    projected: dict[str, Tensor] = {}  # by no label, so that folds share them
    gan, settings = _gan(trial)

    def new(share: float) -> DatasetGanSegmenter:
        return DatasetGanSegmenter(
            gan,
            settings,
            trial.budget(share),
            seed=trial.seed,
            device=_device(),
            projected=projected,
            unet_settings=UNET_PRESETS[trial.preset],
        )

    fitted, notes = _fit_segmenter(trial, new)
    return Fitted(fitted.find, fitted.segmenter.parameters, notes | {"pairs": fitted.segmenter.kept})


def fit_annotated(trial: Trial) -> Fitted:
    """Label 24 of a generator's images by a U-Net that has all labels of the pool: DatasetGAN's best case."""
    gan, settings = _gan(trial)
    normaliser, channels = trial.normaliser(), list(trial.chosen_channels())
    windows = trial.windows(normaliser)
    annotator_decoder = tune_segmenter(lambda: _unet(trial, FOLD_SHARE), windows, trial.settings.pixels, trial.seed)
    annotator = _unet(trial, 1.0).fit(windows)
    segmenter = DatasetGanSegmenter(
        gan,
        settings,
        trial.budget(),
        seed=trial.seed,
        device=_device(),
        annotate=lambda image: decode_maps(annotator.predict(image), annotator_decoder),
        unet_settings=UNET_PRESETS[trial.preset],
    ).fit(windows)
    decoder = tune_fitted(segmenter, windows, trial.settings.pixels, trial.seed)
    return Fitted(
        lambda pixels: decode_maps(segmenter.predict(normaliser.apply(pixels[..., channels])), decoder),
        segmenter.parameters,
        {"windows": len(windows), "pairs": segmenter.kept},
    )


def _unet(trial: Trial, share: float) -> UNetSegmenter:
    """Make a U-Net of the size that the preset gives, for a share of the budget."""
    settings = UNET_PRESETS[trial.preset]
    return UNetSegmenter(**trial.budget(share), settings=settings, device=_device(), seed=trial.seed)


def _gan(trial: Trial) -> tuple[Gan, PixelSettings]:
    """Load the GAN, and give the ensemble's settings for its maps."""
    gan = load_gan(trial.folder).to(PartialState().device)
    components = components_of(trial.settings, gan.generator.layers)
    return gan, trial.settings.pixels.model_copy(update={"components": components})


@dataclass(frozen=True)
class _FittedSegmenter:
    segmenter: Any
    find: Find


def _fit_segmenter(trial: Trial, new: Callable[[float], PixelSegmenter]) -> tuple[_FittedSegmenter, dict[str, Any]]:
    """Tune the decoder out-of-fold, fit on all windows.

    Parameters
    ----------
    new
        Share of the budget -> a segmenter, not fitted.
    """
    normaliser, channels = trial.normaliser(), list(trial.chosen_channels())
    windows = trial.windows(normaliser)
    decoder = tune_segmenter(lambda: new(FOLD_SHARE), windows, trial.settings.pixels, trial.seed)
    segmenter = new(1.0).fit(windows)

    def find(pixels: NDArray) -> NDArray[np.integer]:
        return decode_maps(segmenter.predict(normaliser.apply(pixels[..., channels])), decoder)

    return _FittedSegmenter(segmenter, find), {"windows": len(windows)}


def _device() -> str:
    return str(PartialState().device)
