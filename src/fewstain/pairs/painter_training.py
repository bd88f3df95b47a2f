"""Training of a painter on a pool and the ensemble's masks of it: a model of layouts, then one of images of them."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from diffusers import DDPMScheduler
from numpy.typing import NDArray
from torch import Tensor

import fewstain
from fewstain.dataset import Dataset, Window
from fewstain.diffusion.control.network import build_control
from fewstain.diffusion.control.training import find_layouts, layout_pair
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.diffusion.network import WEIGHTS, Denoiser
from fewstain.diffusion.objective import prediction_loss
from fewstain.diffusion.paired import Pair, Trained, settings_identity, train_on_pairs
from fewstain.diffusion.pictures import open_denoiser
from fewstain.diffusion.pool_index import remove_pixels
from fewstain.diffusion.training import new_denoiser
from fewstain.errors import UserError
from fewstain.images.read import read_labels
from fewstain.layout import LAYOUT_CHANNELS
from fewstain.pair_settings import LayoutSettings, PainterSettings
from fewstain.pairs.layouts import layout_facts, learned_planes
from fewstain.pairs.painter import (
    CONTENTS,
    DIFFUSION,
    FOLDER,
    LAYOUTS,
    PainterNetwork,
    PainterRecord,
)
from fewstain.pairs.painter_writing import VELOCITY, write_images, write_layouts
from fewstain.storage import sha256_file

MASKS = "masks"
LAYOUT_SECTION, PAINTER_SECTION = "layouts", "painter"


def train_painter(
    results: Path,
    dataset: Dataset,
    state: Path,
    layout_settings: LayoutSettings,
    painter_settings: PainterSettings,
    *,
    masks: Path | None = None,
    n_labels: int | None = None,
    seed: int = 0,
    restart: bool = False,
) -> None:
    """Train a painter into results/painter, or go on where the last call was stopped.

    The painter's denoiser begins with the weights of results/diffusion, and is trained together with its control to
    predict velocity: a denoiser trained as shortly as here that predicts noise misses the brightness of what it paints.

    Parameters
    ----------
    results
        Holds diffusion/ and masks/, the ensemble's of the pool, unless those are elsewhere.
    dataset
        Its images, and its labels, which are layouts beside the masks; not its test images.
    state
        Folder of the training states.
    layout_settings, painter_settings
        Of the two trainings.
    masks
        Folder of masks of the dataset's images; results/masks by default.
    n_labels
        Use only the first so many label files, by name; all when None.
    seed, restart
        As of `train_diffusion`.

    Raises
    ------
    UserError
        As of `train_diffusion`; no masks, or none with an object; a denoiser of latents.
    """
    start = time.monotonic()
    out = results / FOLDER
    check_replaceable(out, CONTENTS, "a painter")
    denoiser, base = open_denoiser(results / DIFFUSION)
    check_crops(layout_settings, painter_settings, denoiser, results)
    labeled = dataset.windows[:n_labels]
    windows = find_masks(results, dataset, masks or results / MASKS) + labeled
    facts = layout_facts([read_labels(window.labels) for window in windows])
    layouts = train_layouts(windows, state / LAYOUT_SECTION, layout_settings, seed=seed, restart=restart)
    pairs = [layout_pair(results / DIFFUSION, base, window) for window in windows]
    base_sha256 = sha256_file(results / DIFFUSION / "unet" / WEIGHTS)
    painter = train_images(
        pairs, denoiser, state / PAINTER_SECTION, painter_settings, base_sha256, seed=seed, restart=restart
    )
    seconds = max(layouts.training.seconds + painter.training.seconds, time.monotonic() - start)
    with replaced_folder(out) as folder:
        write_layouts(folder / LAYOUTS, layouts, facts, layout_settings, seed)
        write_images(folder, out, painter, base, painter_settings, seed)
        n_masks = len(windows) - len(labeled)
        PainterRecord(base_sha256, n_masks, len(labeled), seconds, fewstain.__version__).write(folder)
    for section in (LAYOUT_SECTION, PAINTER_SECTION):
        remove_pixels(state / section)


def find_masks(results: Path, dataset: Dataset, folder: Path) -> tuple[Window, ...]:
    """Find the ensemble's masks of the dataset's images; UserError where there are none."""
    if not folder.is_dir():
        raise UserError(
            f"{folder}: no such folder; run `fewstain segment {results} {dataset.root / 'images'} --out "
            f"{results}` first, for layouts are learned from the masks of all images"
        )
    return find_layouts(dataset, folder)


def check_crops(layouts: LayoutSettings, painter: PainterSettings, denoiser: Denoiser, results: Path) -> None:
    """Raise UserError where a network cannot take crops of the size that the settings say."""
    if layouts.crop % layouts.stride:
        raise UserError(f"{LAYOUT_SECTION}.crop is {layouts.crop}; this network needs a multiple of {layouts.stride}")
    if painter.crop % denoiser.multiple:
        raise UserError(
            f"{PAINTER_SECTION}.crop is {painter.crop}; the denoiser in {results / DIFFUSION} needs a multiple of "
            f"{denoiser.multiple}"
        )


def train_layouts(
    windows: Sequence[Window], state: Path, settings: LayoutSettings, *, seed: int, restart: bool
) -> Trained[Denoiser]:
    """Train a denoiser of the planes of label images, or go on."""
    denoiser = new_denoiser(settings, LAYOUT_CHANNELS, seed)

    def loss(crops: Tensor, accelerator: Accelerator, random: np.random.Generator) -> Tensor:
        share = settings.small_timestep_share
        return prediction_loss(denoiser, denoiser.scheduler, crops, share, accelerator, random)

    identity = settings_identity(settings, LAYOUT_SECTION)
    pairs = [_planes_of(window) for window in windows]
    return train_on_pairs(
        pairs, state, denoiser, loss, settings, identity, seed=seed, restart=restart, title="learning layouts"
    )


def train_images(
    pairs: Sequence[Pair],
    denoiser: Denoiser,
    state: Path,
    settings: PainterSettings,
    base_sha256: str,
    *,
    seed: int,
    restart: bool,
) -> Trained[PainterNetwork]:
    """Train a denoiser, given with the weights it begins with, and its control together, or go on.

    Parameters
    ----------
    pairs
        Of images and `layout_planes`.
    denoiser
        Changed in place; it predicts velocity from now on.
    base_sha256
        What the weights it begins with are known by.
    """
    denoiser.scheduler = DDPMScheduler.from_config(denoiser.scheduler.config, prediction_type=VELOCITY)
    network = PainterNetwork(denoiser, build_control(denoiser, LAYOUT_CHANNELS, seed)).requires_grad_(True)

    def loss(crops: Tensor, accelerator: Accelerator, random: np.random.Generator) -> Tensor:
        return painter_loss(network, crops, settings, accelerator, random)

    identity = settings_identity(settings, PAINTER_SECTION) | {"base_sha256": base_sha256}
    return train_on_pairs(
        pairs, state, network, loss, settings, identity, seed=seed, restart=restart, title="learning to paint"
    )


def painter_loss(
    network: PainterNetwork,
    crops: Tensor,
    settings: PainterSettings,
    accelerator: Accelerator,
    random: np.random.Generator,
) -> Tensor:
    """Denoising loss of crops (B, C + K, H, W), images and their layouts after them; () with its graph.

    A share `settings.drop` of the crops comes without layout (as for guidance: Ho & Salimans 2022), so that the
    denoiser paints by itself as well.
    """
    clean, condition = crops.split([network.denoiser.image_channels, network.control.condition_channels], dim=1)
    kept = torch.from_numpy(random.random(len(clean)) >= settings.drop).to(clean.device)
    predict = network.following(condition, kept)
    return prediction_loss(
        predict, network.denoiser.scheduler, clean, settings.small_timestep_share, accelerator, random
    )


def _planes_of(window: Window) -> Pair:
    def planes() -> NDArray[np.float32]:
        return learned_planes(read_labels(window.labels))

    return Pair(window.labels.name, (window.labels,), planes)
