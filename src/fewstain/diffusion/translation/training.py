"""Training of a translation from source images to a data set's."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from fewstain.dataset import Dataset
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.network import WEIGHTS
from fewstain.diffusion.objective import prediction_loss
from fewstain.diffusion.paired import Pair, Trained, settings_identity, train_on_pairs
from fewstain.diffusion.pool import remove_pixels
from fewstain.diffusion.record import SAMPLES_FILE, describe, write_losses
from fewstain.diffusion.translation.network import Residual, Translator, build_translator
from fewstain.diffusion.translation.painting import translate, with_source
from fewstain.diffusion.translation.record import CONTENTS, TranslationRecord, translation_facts
from fewstain.diffusion.translation.scale import Scale
from fewstain.diffusion.translation.sources import PairedFiles, check_one_kind, find_pairs
from fewstain.diffusion.translation.table import apply_table, fit_table
from fewstain.errors import UserError
from fewstain.settings import TranslationSettings

SECTION = "translation"
EXAMPLES = 3  # samples shown of each source


def train_translation(
    dataset: Dataset,
    source: str | Path,
    out: Path,
    state: Path,
    settings: TranslationSettings,
    *,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train a translation to the images of a dataset, or go on where the last call was stopped.

    Parameters
    ----------
    dataset
        Only its `images` are read: the targets.
    source
        "grey" for the targets made grey, or a folder of images of the same names and sizes.
    out
        Folder that takes the translation: `Denoiser.save`'s layout, fewstain.json, loss.csv, samples.png. It appears
        whole, at the end.
    state, seed, restart
        As of `train_diffusion`.
    settings
        Of network and training.

    Raises
    ------
    UserError
        As of `train_diffusion`; sources that are missing, of another size, or not all of one kind.
    """
    start = time.monotonic()
    check_replaceable(out, CONTENTS, TranslationRecord.holder)
    if settings.crop % settings.stride:
        raise UserError(f"{SECTION}.crop is {settings.crop}; this network needs a multiple of {settings.stride}")
    files = find_pairs(dataset, source)
    source_scale, target_scale, residual = fit_residual(files)
    translator = build_translator(settings, target_scale.channels, source_scale.channels, seed)

    def loss(crops: Tensor, accelerator: Accelerator, random: np.random.Generator) -> Tensor:
        return translation_loss(translator, crops, settings.small_timestep_share, accelerator, random)

    pairs = [_pair(each, source_scale, target_scale, residual) for each in files]
    identity = settings_identity(settings, SECTION) | {"source": "grey" if source == "grey" else "folder"}
    trained = train_on_pairs(pairs, state, translator, loss, settings, identity, seed=seed, restart=restart)
    facts = translation_facts(str(source), source_scale, target_scale, residual)
    write_translation(out, trained, residual, settings, seed, facts, session_seconds=time.monotonic() - start)
    remove_pixels(state)


def fit_residual(files: tuple[PairedFiles, ...]) -> tuple[Scale, Scale, Residual]:
    """Fit the ranges of sources and targets, and what a table leaves, holding one pair at a time."""
    source_scale = Scale.fit(source for source, _ in check_one_kind(files))
    target_scale = Scale.fit(target for _, target in check_one_kind(files))

    def scaled() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        return ((source_scale.apply(source), target_scale.apply(target)) for source, target in check_one_kind(files))

    table = fit_table(scaled())
    squares = [np.square(target - apply_table(table, source)).mean() for source, target in scaled()]
    return source_scale, target_scale, Residual(table, max(float(np.sqrt(np.mean(squares))), 1e-6))


def translation_loss(
    translator: Translator,
    crops: Tensor,
    small_timestep_share: float,
    accelerator: Accelerator,
    random: np.random.Generator,
) -> Tensor:
    """Denoising loss of crops (B, C + S, H, W): residuals, and their sources after them; () with its graph."""
    clean, source = crops.split([translator.image_channels, translator.source_channels], dim=1)
    predict = with_source(translator, source)
    return prediction_loss(predict, translator.scheduler, clean, small_timestep_share, accelerator, random)


def write_translation(
    out: Path,
    trained: Trained[Translator],
    residual: Residual,
    settings: TranslationSettings,
    seed: int,
    facts: Mapping[str, Any],
    *,
    session_seconds: float,
) -> None:
    """Write the trained translation, with averaged weights, and its report in place of the folder `out`.

    Parameters
    ----------
    facts
        What a `TranslationRecord` tells beyond a denoiser's.
    """
    start = time.monotonic()
    training = trained.training
    translator = training.network.eval()
    training.ema.copy_to(translator.parameters())
    with replaced_folder(out) as folder:
        translator.save(folder)
        write_losses(folder, training.losses.tolist())
        if settings.samples:
            crops = trained.pool.crops(settings.samples, settings.crop, np.random.default_rng((seed, settings.steps)))
            write_examples(folder / SAMPLES_FILE, translator, residual, crops.cpu().numpy(), settings, seed)
        seconds = max(session_seconds, training.seconds) + time.monotonic() - start
        index = replace(
            trained.index,
            channels=tuple(range(translator.image_channels)),
            dtype=facts["target_scale"]["dtype"],
            file_channels=translator.image_channels,
        )
        weights = folder / "unet" / WEIGHTS
        told = describe(training, index, settings, seed, wall_seconds=seconds, weights=weights)
        TranslationRecord(**vars(told), **facts).write(folder)


def write_examples(
    path: Path,
    translator: Translator,
    residual: Residual,
    crops: NDArray[np.float32],
    settings: TranslationSettings,
    seed: int,
) -> None:
    """Write a picture, a row for each crop: its source, some translations of it, and the target."""
    rows: list[NDArray] = []
    channels = translator.image_channels
    for crop in crops:
        source = crop[channels:]
        steps = min(settings.sample_steps, settings.train_timesteps)
        painted = translate(translator, residual, source, samples=EXAMPLES, steps=steps, seed=seed)
        shown = np.broadcast_to(source[:1], painted.shape[1:])
        rows += [shown, *painted, residual.target(source, crop[:channels])]
    write_mosaic(path, torch.from_numpy(np.stack(rows)), columns=EXAMPLES + 2)


def _pair(files: PairedFiles, source_scale: Scale, target_scale: Scale, residual: Residual) -> Pair:
    def planes() -> NDArray[np.float32]:
        raw_source, raw_target = files.read()
        source, target = source_scale.apply(raw_source), target_scale.apply(raw_target)
        return np.concatenate([residual.of(source, target), source])

    return Pair(files.target.name, files.files, planes)
