"""From a labeled dataset and a denoiser to a fitted ensemble, with every choice made out-of-fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from accelerate.state import PartialState
from numpy.typing import NDArray
from torch import Tensor

from fewstain.dataset import Dataset
from fewstain.diffusion.network import Denoiser, load_denoiser
from fewstain.diffusion.progress import StepProgress
from fewstain.diffusion.record import check_image_kind, check_weights
from fewstain.diffusion.record import read_record as read_denoiser_record
from fewstain.errors import UserError
from fewstain.images.read import read_header
from fewstain.pixels.choose import (
    Candidate,
    FeatureChoice,
    LabeledFeatures,
    candidate_choices,
    compare_choices,
    fit_final,
    tune_winners,
)
from fewstain.pixels.consensus import Consensus
from fewstain.pixels.ensemble import PixelEnsemble, PixelMaps
from fewstain.pixels.extractor import build_extractor
from fewstain.pixels.features import block_names
from fewstain.pixels.folder import HELD_OUT_FILE, save_pixels
from fewstain.pixels.folds import MARGIN, assign_folds, learnable, spatially_blocked
from fewstain.pixels.held_out import save_maps, winner
from fewstain.pixels.nested import nested_scores
from fewstain.pixels.record import ONE_CLASS, PixelsRecord
from fewstain.pixels.table import sample_table, window_projection
from fewstain.pixels.targets import INTERIOR
from fewstain.pixels.views import draw_view
from fewstain.pixels.windows import LabeledWindow, labeled_windows
from fewstain.settings import PixelSettings
from fewstain.storage import check_writable

LIBRARIES = ("fewstain", "torch", "diffusers", "scikit-image", "scikit-learn")


@dataclass(frozen=True)
class FittedPixels:
    """An ensemble on raw features, what was chosen for it, and why.

    `choices` has the tables behind the choices: features, decoder, folds. `out_of_fold` are the nested
    scores, and `held_out` the maps of each window, by its name, of an ensemble on these features that has not seen it.
    """

    ensemble: PixelEnsemble
    choice: FeatureChoice
    decoder: Consensus
    choices: dict[str, Any]
    out_of_fold: dict[str, Any]
    held_out: dict[str, PixelMaps]


def fit_pixels(
    dataset: Dataset,
    diffusion_dir: Path,
    out: Path,
    settings: PixelSettings,
    *,
    n_labels: int | None = None,
    seed: int = 0,
) -> PixelsRecord:
    """Fit the ensemble to a dataset's labels and write it.

    Parameters
    ----------
    dataset
        With at least two labeled windows; test images are not looked at.
    diffusion_dir
        The trained denoiser.
    out
        Folder for ensemble.safetensors and pixels.json.
    settings
        Numbers of the fit, and the candidates of the choice.
    n_labels
        Only the first so many label files, by name.
    seed
        Of everything drawn.

    Returns
    -------
    PixelsRecord
        As written to pixels.json.

    Raises
    ------
    UserError
        Too few labels, labels with fewer than two objects or too close together to hold some of them out, images
        that do not fit the denoiser, or weights that are not its own.
    """
    denoiser = load_denoiser(diffusion_dir).to(PartialState().device)
    source = read_denoiser_record(diffusion_dir)
    check_weights(diffusion_dir, source)
    for path in sorted({window.image for window in dataset.windows[:n_labels]}):
        header = read_header(path)
        check_image_kind(diffusion_dir, source, path, header.channels, header.dtype)
    class_names = tuple(sorted({name for named in dataset.classes.values() for name in named.values()}))
    windows = labeled_windows(dataset, source.normaliser, source.channels, denoiser.multiple, class_names, n_labels)
    check_writable(out)
    autocast = source.precision.startswith("bf16")
    with StepProgress("fitting pixels", count_steps(settings, denoiser), images_per_step=0) as progress:
        done = iter(range(1, 10**9))
        fitted = fit_windows(
            windows,
            denoiser,
            settings,
            class_names=class_names,
            seed=seed,
            autocast=autocast,
            advance=lambda: progress.show(next(done)),
        )
    record = PixelsRecord(
        timesteps=fitted.choice.timesteps,
        blocks=fitted.choice.blocks,
        noise_draws=settings.noise_draws,
        filters=settings.filters,
        seed=seed,
        autocast=autocast,
        classes=class_names or ONE_CLASS,
        decoder=fitted.decoder,
        members=settings.members,
        hidden=settings.hidden,
        features=len(fitted.ensemble.mean),
        normaliser=source.normaliser,
        channels=source.channels,
        file_channels=read_header(dataset.windows[0].image).channels,
        dtype=source.dtype,
        n_labels=len(dataset.windows[:n_labels]),
        choices=fitted.choices,
        out_of_fold=fitted.out_of_fold,
        versions={name: version(name) for name in LIBRARIES},
    )
    save_maps(out / HELD_OUT_FILE, fitted.held_out)
    return save_pixels(out, fitted.ensemble, record, diffusion_dir)


def fit_windows(
    windows: Sequence[LabeledWindow],
    denoiser: Denoiser,
    settings: PixelSettings,
    *,
    class_names: Sequence[str] = (),
    seed: int = 0,
    autocast: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> FittedPixels:
    """Choose features and decoder out-of-fold, then fit the final ensemble to all windows.

    Parameters
    ----------
    windows
        Labeled windows.
    denoiser
        Trained.
    settings
        Numbers of the fit.
    class_names
        Of the classes of objects; empty where there is one kind.
    seed
        Of everything drawn.
    autocast
        Whether the denoiser runs in bfloat16.
    advance
        Called `count_steps(settings, denoiser)` times on the way.

    Raises
    ------
    UserError
        The windows share an image and lie too close together to hold some of them out.
    """
    n_classes = INTERIOR + max(len(class_names), 1)
    features = labeled_features(
        windows, denoiser, settings, n_classes=n_classes, seed=seed, autocast=autocast, advance=advance
    )
    candidates = compare_choices(
        features, candidate_choices(settings.timesteps, block_names(denoiser)), settings, seed, advance
    )
    candidates = tune_winners(features, candidates, settings, seed)
    advance()
    best = winner(candidates)
    ensemble = fit_final(features, best.choice, settings, seed)
    advance()

    def choose(windows: NDArray[np.bool_]) -> tuple[Sequence[PixelMaps], Consensus]:
        own = winner(candidates, windows)
        return own.maps, own.decoder(settings.decoders, windows)

    return FittedPixels(
        ensemble,
        best.choice,
        best.decoder(settings.decoders),
        _tables(features, candidates, best),
        nested_scores(windows, features.fold, choose, class_names) | {"spatially_blocked": spatially_blocked(windows)},
        dict(zip((window.name for window in windows), best.maps, strict=True)),
    )


def labeled_features(
    windows: Sequence[LabeledWindow],
    denoiser: Denoiser,
    settings: PixelSettings,
    *,
    n_classes: int,
    seed: int = 0,
    autocast: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> LabeledFeatures:
    """Compute what is learned from, once for all candidates; see `fit_windows` for the arguments."""
    blocks = block_names(denoiser)
    extractor = build_extractor(
        denoiser,
        settings.timesteps,
        blocks,
        filters=settings.filters,
        noise_draws=settings.noise_draws,
        seed=seed,
        autocast=autocast,
    )
    rng = np.random.default_rng(seed)
    projection = window_projection(extractor, windows, settings.components, rng)
    table = sample_table(
        extractor,
        projection,
        windows,
        views=settings.views,
        pixels_per_window=settings.pixels_per_window,
        rng=rng,
        advance=advance,
    )
    fold = assign_folds(windows, settings.folds, seed)
    if not all(len(learnable(table, windows, fold, held_out)) for held_out in range(int(fold.max()) + 1)):
        raise UserError(
            f"{windows[0].name}, {windows[1].name}, …: the labeled windows lie within {MARGIN} pixels of each other, "
            "so that none can be held out; label windows further apart, or in more images"
        )

    def project(window: LabeledWindow) -> list[Tensor]:
        return [each.half() for each in projection.apply(extractor.maps(window.image[None], window.origin))]

    keys: list[tuple[int, str] | None] = [None] if settings.filters else []
    keys += [(timestep, block) for timestep in settings.timesteps for block in blocks]
    return LabeledFeatures(
        windows,
        fold,
        projection,
        table,
        [project(window) for window in windows],
        keys,
        n_classes,
        [draw_view(window, rng) for _ in range(settings.decoder_views) for window in windows],
        project,
    )


def count_steps(settings: PixelSettings, denoiser: Denoiser) -> int:
    """How often `fit_windows` calls `advance`."""
    return settings.views + len(candidate_choices(settings.timesteps, block_names(denoiser))) + 2


def _tables(features: LabeledFeatures, candidates: Sequence[Candidate], best: Candidate) -> dict[str, Any]:
    """Tables behind the choices, as JSON takes them."""
    folds = zip(features.windows, features.fold, strict=True)
    return {
        "features": [each.row(each is best) for each in candidates],
        "decoder": best.decoder_trials.rows(),
        "folds": [{"window": window.name, "image": window.group, "fold": int(fold)} for window, fold in folds],
    }
