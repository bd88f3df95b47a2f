"""Any feature extractor in our method's place: the same ensemble, decoder and choices on other features."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from fewstain.images.normalise import Normaliser
from fewstain.pixels.choose import FeatureChoice, candidate_choices
from fewstain.pixels.features import FeatureExtractor
from fewstain.pixels.filters import ChosenFeatures, FilterFeatures, StackedFeatures
from fewstain.pixels.fit_features import extracted_features, fit_features
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.model import Model
from fewstain.pixels.predict import EnsemblePredictor
from fewstain.pixels.record import ONE_CLASS, PixelsRecord
from fewstain.pixels.targets import INTERIOR
from fewstain.settings import PixelSettings

NO_TIMESTEP = 0  # stands for the timestep of features that have none


class NamedExtractor(FeatureExtractor, Protocol):
    """A feature extractor whose maps have names, in the order they are computed."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each map."""
        ...


def fit_extractor(
    windows: Sequence[LabeledWindow],
    extractor: NamedExtractor | None,
    settings: PixelSettings,
    normaliser: Normaliser,
    *,
    channels: tuple[int, ...],
    file_channels: int,
    dtype: str,
    seed: int = 0,
) -> Model:
    """Fit the ensemble on an extractor's features as `fit_pixels` does on a denoiser's.

    The classical filters stand before the features where `settings.filters` says so, as they do before a denoiser's;
    all maps, the first and the second half of them are compared out-of-fold.

    Parameters
    ----------
    windows
        Labeled windows, their sides multiples of `extractor.multiple`.
    extractor
        None for the filters alone.
    settings
        Numbers of the fit.
    normaliser, channels, file_channels, dtype
        As of `PixelsRecord`.
    seed
        Of everything drawn.

    Returns
    -------
    Model
        In memory only.
    """
    names = tuple(extractor.names) if extractor is not None else ()
    use_filters = settings.filters or extractor is None
    parts: list[FeatureExtractor] = [FilterFeatures()] if use_filters else []
    stacked = StackedFeatures([*parts, extractor] if extractor is not None else parts)
    keys: list[tuple[int, str] | None] = [None] if use_filters else []
    keys += [(NO_TIMESTEP, name) for name in names]
    features = extracted_features(windows, stacked, keys, settings, n_classes=INTERIOR + 1, seed=seed)
    fitted = fit_features(features, choices_of(names), settings, seed=seed)
    chosen = ChosenFeatures(stacked, features.maps_of(fitted.choice))
    record = PixelsRecord(
        timesteps=fitted.choice.timesteps,
        blocks=fitted.choice.blocks,
        noise_draws=1,
        filters=use_filters,
        seed=seed,
        autocast=False,
        classes=ONE_CLASS,
        decoder=fitted.decoder,
        members=settings.members,
        hidden=settings.hidden,
        features=len(fitted.ensemble.mean),
        normaliser=normaliser,
        channels=channels,
        file_channels=file_channels,
        dtype=dtype,
        n_labels=len(windows),
        choices=fitted.choices,
        out_of_fold=fitted.out_of_fold,
    )
    return Model(EnsemblePredictor(chosen, fitted.ensemble.to(features.device)), record)


def choices_of(names: Sequence[str]) -> list[FeatureChoice]:
    """List what is compared: all maps, the second and the first half of them; each once."""
    every = [choice for choice in candidate_choices((NO_TIMESTEP,), names) if choice.blocks]
    return list(dict.fromkeys(every)) or [FeatureChoice((NO_TIMESTEP,), ())]
