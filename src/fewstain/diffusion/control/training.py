"""Training of a control on images and their layouts or edges; the denoiser stays as it is."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import Accelerator
from numpy.typing import NDArray
from torch import Tensor

from fewstain.dataset import Dataset, Window, list_files, parse_window
from fewstain.diffusion.control.conditions import channels_of, edge_planes
from fewstain.diffusion.control.network import FOLDER, Control, build_control, with_condition
from fewstain.diffusion.control.painting import paint_conditions
from fewstain.diffusion.control.record import CONTENTS, ControlRecord, read_like
from fewstain.diffusion.dependence import base_facts
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.diffusion.mosaic import write_mosaic
from fewstain.diffusion.network import WEIGHTS, Denoiser
from fewstain.diffusion.objective import prediction_loss
from fewstain.diffusion.paired import Pair, Trained, settings_identity, train_on_pairs
from fewstain.diffusion.pictures import open_denoiser, read_picture
from fewstain.diffusion.pool_index import remove_pixels
from fewstain.diffusion.record import SAMPLES_FILE, DenoiserRecord, describe, write_losses
from fewstain.errors import UserError
from fewstain.images.read import LABEL_EXTENSIONS, read_labels, stem
from fewstain.layout import layout_planes
from fewstain.settings import ControlSettings
from fewstain.toolbox import Condition

SECTION = "control"


def train_control(
    denoiser_dir: Path,
    dataset: Dataset,
    out: Path,
    state: Path,
    settings: ControlSettings,
    *,
    condition: Condition = Condition.layout,
    layouts: Path | None = None,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train a control of a denoiser, or go on where the last call was stopped.

    Parameters
    ----------
    denoiser_dir
        The denoiser's folder. Only read.
    dataset
        Images of the kind that the denoiser was trained on; its labels too, where there are no `layouts`.
    out
        Folder that takes the control: controlnet/ in diffusers' layout, fewstain.json, loss.csv, samples.png. It
        appears whole, at the end.
    state, seed, restart
        As of `train_diffusion`.
    settings
        Of the training.
    condition
        What the control is told.
    layouts
        Folder of label images, named as the dataset's images or windows of them; the others are left out. None for the
        dataset's own labels.

    Raises
    ------
    UserError
        As of `train_diffusion`; a denoiser that is damaged, or of other images; no layouts, or of other sizes.
    """
    start = time.monotonic()
    check_replaceable(out, CONTENTS, ControlRecord.holder)
    denoiser, base = open_denoiser(denoiser_dir)
    denoiser.requires_grad_(False)
    if settings.crop % denoiser.multiple:
        raise UserError(
            f"{SECTION}.crop is {settings.crop}; the denoiser in {denoiser_dir} needs a multiple of {denoiser.multiple}"
        )
    if condition is Condition.layout:
        windows = find_layouts(dataset, layouts)
        pairs = [layout_pair(denoiser_dir, base, window) for window in windows]
    else:
        pairs = [_edges_pair(denoiser_dir, base, path) for path in dataset.images]
    control = build_control(denoiser, channels_of(condition), seed)

    def loss(crops: Tensor, accelerator: Accelerator, random: np.random.Generator) -> Tensor:
        return control_loss(denoiser, control, crops, settings.small_timestep_share, accelerator, random)

    origin = {**base_facts(denoiser_dir), "condition": condition.value}
    identity = settings_identity(settings, SECTION) | {key: origin[key] for key in ("base_sha256", "condition")}
    trained = train_on_pairs(pairs, state, control, loss, settings, identity, seed=seed, restart=restart)
    write_control(out, denoiser, base, trained, settings, seed, origin, session_seconds=time.monotonic() - start)
    remove_pixels(state)


def find_layouts(dataset: Dataset, folder: Path | None) -> tuple[Window, ...]:
    """Find the label images in a folder, or the dataset's own, and the images or windows that they are of.

    Raises
    ------
    UserError
        If there are none.
    """
    if folder is None:
        if not dataset.windows:
            raise UserError(
                f"{dataset.root}: no labels to learn layouts from; give a folder of masks with --layouts, as "
                "results/<dataset>/masks"
            )
        return dataset.windows
    images = {stem(path): path for path in dataset.images}
    found = []
    for path in list_files(folder, LABEL_EXTENSIONS):
        place = parse_window(stem(path), images)
        if place is not None:
            found.append(Window(stem(path), place[0], path, place[1], place[2]))
    if not found:
        raise UserError(
            f"{folder}: no label images with the names of images in {dataset.root / 'images'}; give a folder of masks "
            "of these images"
        )
    return tuple(found)


def control_loss(
    denoiser: Denoiser,
    control: Control,
    crops: Tensor,
    small_timestep_share: float,
    accelerator: Accelerator,
    random: np.random.Generator,
) -> Tensor:
    """Denoising loss of crops (B, C + K, H, W): images, and their conditions after them; () with its graph."""
    clean, condition = crops.split([denoiser.image_channels, control.condition_channels], dim=1)
    predict = with_condition(denoiser, control, condition)
    return prediction_loss(predict, denoiser.scheduler, clean, small_timestep_share, accelerator, random)


def write_control(
    out: Path,
    denoiser: Denoiser,
    base: DenoiserRecord,
    trained: Trained[Control],
    settings: ControlSettings,
    seed: int,
    origin: Mapping[str, Any],
    *,
    session_seconds: float,
) -> None:
    """Write the trained control, with averaged weights, and its report in place of the folder `out`.

    Parameters
    ----------
    origin
        What a `ControlRecord` tells beyond a denoiser's.
    """
    start = time.monotonic()
    training = trained.training
    control = training.averaged()
    with replaced_folder(out) as folder:
        control.save(folder)
        write_losses(folder, training.losses.tolist())
        if settings.samples:
            crops = trained.pool.crops(settings.samples, settings.crop, np.random.default_rng((seed, settings.steps)))
            write_examples(folder / SAMPLES_FILE, denoiser, control, crops, settings, seed)
        seconds = max(session_seconds, training.seconds) + time.monotonic() - start
        index = read_like(base, trained.index)
        weights = folder / FOLDER / WEIGHTS
        told = describe(training, index, settings, seed, wall_seconds=seconds, weights=weights)
        ControlRecord(**vars(told), **origin).write(folder)


def write_examples(
    path: Path, denoiser: Denoiser, control: Control, crops: Tensor, settings: ControlSettings, seed: int
) -> None:
    """Write a picture, a row for each of the crops (n, C + K, H, W): condition, what is painted from it, the image."""
    real, conditions = crops.split([denoiser.image_channels, control.condition_channels], dim=1)
    steps = min(settings.sample_steps, len(denoiser.scheduler.betas))
    painted = paint_conditions(denoiser, control, conditions, steps=steps, seed=seed)
    rows = torch.stack([shown(conditions, real.shape[1]), painted, real.cpu()], dim=1)
    write_mosaic(path, rows.flatten(0, 1), columns=3)


def shown(conditions: Tensor, channels: int) -> Tensor:
    """Make conditions (n, K, H, W) in [0, 1] a picture (n, channels, H, W) in [-1, 1]: the mean of their planes."""
    grey = conditions.cpu().float().mean(dim=1, keepdim=True) * 2 - 1
    return grey.expand(-1, channels, -1, -1)


def _edges_pair(denoiser_dir: Path, base: DenoiserRecord, path: Path) -> Pair:
    def planes() -> NDArray[np.float32]:
        image = read_picture(denoiser_dir, base, path).planes[0].numpy()
        return np.concatenate([image, edge_planes(image)])

    return Pair(path.name, (path,), planes)


def layout_pair(denoiser_dir: Path, base: DenoiserRecord, window: Window) -> Pair:
    """Pair an image, or a window of it, as a denoiser sees it, with its layout's planes."""

    def planes() -> NDArray[np.float32]:
        labels = read_labels(window.labels)
        image = read_picture(denoiser_dir, base, window.image).planes[0].numpy()
        (height, width), (y, x) = labels.shape, (window.y, window.x)
        cut = image[:, y : y + height, x : x + width]
        if cut.shape[1:] != labels.shape:
            raise UserError(
                f"{window.labels}: {height} x {width} pixels from row {y}, column {x}, but {window.image} has "
                f"{image.shape[1]} x {image.shape[2]}; give labels of this image"
            )
        return np.concatenate([cut, layout_planes(labels)])

    return Pair(window.labels.name, (window.image, window.labels), planes)
