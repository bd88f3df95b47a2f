"""From a labeled dataset and a denoiser to a fitted ensemble, with every choice made out-of-fold."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np
from accelerate.state import PartialState

from fewstain.dataset import Dataset
from fewstain.diffusion.network import Denoiser, load_denoiser
from fewstain.diffusion.progress import StepProgress
from fewstain.diffusion.record import check_image_kind, check_weights
from fewstain.diffusion.record import read_record as read_denoiser_record
from fewstain.images.read import read_header
from fewstain.pixels.choose import LabeledFeatures, candidate_choices
from fewstain.pixels.extractor import build_extractor
from fewstain.pixels.features import block_names
from fewstain.pixels.fit_features import FittedPixels, extracted_features, fit_features
from fewstain.pixels.folder import HELD_OUT_FILE, save_pixels
from fewstain.pixels.folds import assign_folds
from fewstain.pixels.held_out import save_held_out
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.record import ONE_CLASS, PixelsRecord
from fewstain.pixels.targets import INTERIOR
from fewstain.pixels.windows import labeled_windows
from fewstain.settings import PixelSettings
from fewstain.storage import check_writable

LIBRARIES = ("fewstain", "torch", "diffusers", "scikit-image", "scikit-learn")


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
    for path in dataset.images:  # all lend their colours to the labeled windows
        header = read_header(path)
        check_image_kind(diffusion_dir, source, path, header.channels, header.dtype)
    class_names = tuple(sorted({name for named in dataset.classes.values() for name in named.values()}))
    windows = labeled_windows(dataset, source.normaliser, source.channels, denoiser.multiple, class_names, n_labels)
    check_writable(out)
    autocast = source.precision.startswith("bf16")
    with StepProgress("fitting pixels", count_steps(windows, settings, denoiser, seed), images_per_step=0) as progress:
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
    save_held_out(out / HELD_OUT_FILE, fitted.held_out)
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
        Called `count_steps(windows, settings, denoiser, seed)` times on the way.

    Raises
    ------
    UserError
        The windows share an image and lie too close together to hold some of them out.
    """
    n_classes = INTERIOR + max(len(class_names), 1)
    features = labeled_features(
        windows, denoiser, settings, n_classes=n_classes, seed=seed, autocast=autocast, advance=advance
    )
    choices = candidate_choices(settings.timesteps, block_names(denoiser))
    return fit_features(features, choices, settings, class_names=class_names, seed=seed, advance=advance)


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
    keys: list[tuple[int, str] | None] = [None] if settings.filters else []
    keys += [(timestep, block) for timestep in settings.timesteps for block in blocks]
    return extracted_features(windows, extractor, keys, settings, n_classes=n_classes, seed=seed, advance=advance)


def count_steps(windows: Sequence[LabeledWindow], settings: PixelSettings, denoiser: Denoiser, seed: int) -> int:
    """How often `fit_windows` calls `advance`."""
    folds = len(np.unique(assign_folds(windows, settings.folds, seed)))
    return settings.views + len(candidate_choices(settings.timesteps, block_names(denoiser))) + 2 + folds
