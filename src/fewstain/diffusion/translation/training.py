"""Training of a translation from source images to a data set's."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
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
from fewstain.diffusion.pool_index import remove_pixels
from fewstain.diffusion.record import SAMPLES_FILE, describe, write_losses
from fewstain.diffusion.translation.alike import Tables
from fewstain.diffusion.translation.network import DEVIATION, Residual, Translator, build_translator
from fewstain.diffusion.translation.painting import translate, with_source
from fewstain.diffusion.translation.record import CONTENTS, TranslationRecord, translation_facts
from fewstain.diffusion.translation.scale import Scale
from fewstain.diffusion.translation.sources import PairedFiles, check_one_kind, find_pairs
from fewstain.errors import UserError
from fewstain.images.read import are_rgb
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

    pairs = [_pair(number, each, source_scale, target_scale, residual) for number, each in enumerate(files)]
    identity = settings_identity(settings, SECTION) | {"source": "grey" if source == "grey" else "folder"}
    trained = train_on_pairs(pairs, state, translator, loss, settings, identity, seed=seed, restart=restart)

    def facts(folder: Path) -> dict[str, Any]:
        rgb = are_rgb(each.target for each in files)
        return translation_facts(folder, str(source), source_scale, target_scale, residual, rgb)

    write_translation(out, trained, residual, settings, seed, facts, session_seconds=time.monotonic() - start)
    remove_pixels(state)


def fit_residual(files: tuple[PairedFiles, ...]) -> tuple[Scale, Scale, Residual]:
    """Fit the ranges of sources and targets, and what tables leave, holding one pair at a time."""
    source_scale = Scale.fit(source for source, _ in check_one_kind(files))
    target_scale = Scale.fit(target for _, target in check_one_kind(files))

    def scaled() -> Iterator[tuple[NDArray[np.float32], NDArray[np.float32]]]:
        return ((source_scale.apply(source), target_scale.apply(target)) for source, target in check_one_kind(files))

    whole = Residual(Tables.fit(scaled()), DEVIATION)
    squares = [
        np.square(whole.of(whole.seen(source, left_out=number), target)).mean()
        for number, (source, target) in enumerate(scaled())
    ]
    return source_scale, target_scale, Residual(whole.tables, max(float(np.sqrt(np.mean(squares))), 1e-6))


def translation_loss(
    translator: Translator,
    crops: Tensor,
    small_timestep_share: float,
    accelerator: Accelerator,
    random: np.random.Generator,
) -> Tensor:
    """Denoising loss of crops (B, C + S + C, H, W): residuals, and what is seen after them; () with its graph."""
    clean, source = crops.split([translator.image_channels, translator.source_channels], dim=1)
    predict = with_source(translator, source)
    return prediction_loss(predict, translator.scheduler, clean, small_timestep_share, accelerator, random)


def write_translation(
    out: Path,
    trained: Trained[Translator],
    residual: Residual,
    settings: TranslationSettings,
    seed: int,
    facts: Callable[[Path], Mapping[str, Any]],
    *,
    session_seconds: float,
) -> None:
    """Write the trained translation, with averaged weights, and its report in place of the folder `out`.

    Parameters
    ----------
    facts
        Writes what else belongs into a folder, and returns what a `TranslationRecord` tells beyond a denoiser's.
    """
    start = time.monotonic()
    training = trained.training
    translator = training.averaged()
    with replaced_folder(out) as folder:
        translator.save(folder)
        write_losses(folder, training.losses.tolist())
        if settings.samples:
            crops = trained.pool.crops(settings.samples, settings.crop, np.random.default_rng((seed, settings.steps)))
            write_examples(folder / SAMPLES_FILE, translator, residual, crops.cpu().numpy(), settings, seed)
        told_beyond = facts(folder)
        seconds = max(session_seconds, training.seconds) + time.monotonic() - start
        index = replace(
            trained.index,
            channels=tuple(range(translator.image_channels)),
            dtype=told_beyond["target_scale"]["dtype"],
            file_channels=translator.image_channels,
        )
        weights = folder / "unet" / WEIGHTS
        told = describe(training, index, settings, seed, wall_seconds=seconds, weights=weights)
        TranslationRecord(**vars(told), **told_beyond).write(folder)


def write_examples(
    path: Path,
    translator: Translator,
    residual: Residual,
    crops: NDArray[np.float32],
    settings: TranslationSettings,
    seed: int,
) -> None:
    """Write a picture, a row for each crop: its source, some translations of it, and the target.

    A crop is translated with a table for it alone, as an image of that size would be.
    """
    rows: list[NDArray] = []
    channels = translator.image_channels
    for crop in crops:
        seen = crop[channels:]
        source = seen[:-channels]
        steps = min(settings.sample_steps, settings.train_timesteps)
        painted = translate(translator, residual, source, samples=EXAMPLES, steps=steps, seed=seed)
        shown = np.broadcast_to(source[:1], painted.shape[1:])
        rows += [shown, *painted, residual.target(seen, crop[:channels])]
    write_mosaic(path, torch.from_numpy(np.stack(rows)), columns=EXAMPLES + 2)


def _pair(number: int, files: PairedFiles, source_scale: Scale, target_scale: Scale, residual: Residual) -> Pair:
    def planes() -> NDArray[np.float32]:
        raw_source, raw_target = files.read()
        seen = residual.seen(source_scale.apply(raw_source), left_out=number)
        return np.concatenate([residual.of(seen, target_scale.apply(raw_target)), seen])

    return Pair(files.target.name, files.files, planes)
