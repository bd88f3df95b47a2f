"""From a results folder to a trained segmenter, and to the choice between it and the ensemble."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import save_file

from fewstain.dataset import Dataset
from fewstain.diffusion.folder import check_replaceable, replaced_folder
from fewstain.diffusion.loop import new_training, run
from fewstain.diffusion.network import build_denoiser
from fewstain.diffusion.paired import settings_identity
from fewstain.diffusion.precision import choose_precision, start_accelerator
from fewstain.diffusion.progress import StepProgress
from fewstain.diffusion.record import write_losses
from fewstain.diffusion.seeding import seeded
from fewstain.diffusion.state import open_state
from fewstain.evaluate.scores import ScoreSum
from fewstain.pairs.method import Method
from fewstain.pairs.methods import HeldOutMethod, best_method, held_out_methods, leads
from fewstain.pairs.segmenter import SegmenterModule, SegmenterPredictor, build_segmenter
from fewstain.pairs.segmenter_record import CONTENTS, WEIGHTS_FILE, SegmenterRecord
from fewstain.pairs.segmenter_sources import Sources, read_sources
from fewstain.pairs.segmenter_training import labeled_crops, loss_of_step
from fewstain.pixels.ensemble import PixelMaps
from fewstain.pixels.folder import HELD_OUT_FILE
from fewstain.pixels.held_out import read_held_out
from fewstain.pixels.labeled_window import LabeledWindow
from fewstain.pixels.nested import scores_of
from fewstain.pixels.proposals import HeldOutMaps
from fewstain.pixels.record import ONE_CLASS
from fewstain.settings import SegmenterNetwork, SegmenterSettings
from fewstain.storage import sha256_file

LIBRARIES = ("fewstain", "torch", "diffusers", "monai")
HOLDER = "a segmenter"


def train_segmenter(
    results: Path,
    dataset: Dataset,
    out: Path,
    state: Path,
    settings: SegmenterSettings,
    *,
    pairs: Sequence[Path] = (),
    seed: int = 0,
    restart: bool = False,
) -> SegmenterRecord:
    """Train a segmenter on the labels, and on synthetic pairs, or go on where the last call was stopped.

    One is trained without each fold, for the decoder and for the choice between segmenter, ensemble and both, and a
    last one on everything. Pairs are learned from in all of them, but for edits of held-out windows' images; what
    painted these has seen the images of the held-out windows, which may flatter the segmenter's out-of-fold scores.

    Parameters
    ----------
    results
        Holds diffusion/ and pixels/.
    dataset
        The labels that the ensemble was fitted to; test images are not looked at.
    out
        Folder for the segmenter; appears whole, at the end.
    state
        Folder of the training states.
    settings
        Of the training, and of the choice of decoders.
    pairs
        Folders that `fewstain pairs` made.
    seed, restart
        As of `train_diffusion`.

    Raises
    ------
    UserError
        Labels that are not those of the ensemble; else as of `fit_pixels` and `train_diffusion`.
    """
    check_replaceable(out, CONTENTS, HOLDER)
    sources = read_sources(results, dataset, pairs)
    ensemble = read_held_out(results / "pixels" / HELD_OUT_FILE, sources.windows, sources.record.seed)
    held_out: dict[int, PixelMaps] = {}
    seconds = 0.0
    for number in np.unique(sources.fold):
        inside = sources.fold == number
        shorter = settings.model_copy(update={"steps": settings.fold_steps})
        trained = train_one(sources, state / f"fold-{number}", shorter, seed, inside, restart=restart)
        seconds += trained.seconds
        predictor = SegmenterPredictor(trained.network, autocast=sources.record.autocast)
        for index, window in enumerate((*sources.windows, *ensemble.views)):
            if inside[index % len(inside)]:
                held_out[index] = predictor(window.image[None], window.origin).cut(*window.inside)
    maps = [held_out[index] for index in range(len(held_out))]
    n = len(sources.windows)
    compared = compare(ensemble, replace(ensemble, maps=maps[:n], view_maps=maps[n:]), sources, settings, seed)
    final = train_one(sources, state / "all", settings, seed, np.zeros(n, np.bool_), restart=restart)
    return write_segmenter(out, final, sources, *compared, settings, seed, seconds + final.seconds)


def compare(
    ensemble: HeldOutMaps, segmenter: HeldOutMaps, sources: Sources, settings: SegmenterSettings, seed: int
) -> tuple[dict[Method, HeldOutMethod], dict[Method, ScoreSum]]:
    """Try decoders on the held-out maps of the ensemble and of the segmenter, and score both and the two together."""
    names = () if sources.record.classes == ONE_CLASS else sources.record.classes
    with StepProgress("comparing ensemble and segmenter", 2 + len(Method), images_per_step=0) as progress:
        done = iter(range(1, 3 + len(Method)))
        methods = held_out_methods(ensemble, segmenter, settings, seed, lambda: progress.show(next(done)))
        scores = {}
        for method, each in methods.items():
            scores[method] = each.scores(sources.fold, names)
            progress.show(next(done))
    return methods, scores


@dataclass(frozen=True)
class TrainedSegmenter:
    """A segmenter with averaged weights, and its training's losses and seconds."""

    network: SegmenterModule
    losses: list[float]
    seconds: float


def train_one(
    sources: Sources,
    state: Path,
    settings: SegmenterSettings,
    seed: int,
    held_out: NDArray[np.bool_],
    *,
    restart: bool = False,
) -> TrainedSegmenter:
    """Train one segmenter without some of the windows, or go on with it.

    Parameters
    ----------
    held_out
        (windows,) True for those that are not learned from.
    """
    state.mkdir(parents=True, exist_ok=True)
    learned = [window for window, out in zip(sources.windows, held_out, strict=True) if not out]
    aside = [window for window, out in zip(sources.windows, held_out, strict=True) if out]
    held_out_groups = {window.group for window in aside}
    pairs = [pair for pair in sources.pairs if pair.group not in held_out_groups]
    identity = settings_identity(settings, "segmenter") | {
        "denoiser": sources.record.denoiser_sha256,
        "labels": [[window.name, content_hash(window)] for window in learned],
        "pairs": [content_hash(pair) for pair in pairs],
        "seed": seed,
    }
    saved = open_state(state, identity, restart=restart)
    precision = saved.precision if saved is not None else choose_precision()
    accelerator = start_accelerator(precision)
    training = new_training(new_segmenter(sources, settings, seed), settings, precision, accelerator.device, identity)
    if saved is not None:
        training.restore(saved)
    if training.step < settings.steps:
        crops = labeled_crops(
            learned, settings, np.random.default_rng((seed, settings.steps)), held_out=aside, pairs=pairs
        )
        loss_of = loss_of_step(training.network, crops, settings, accelerator, seed)
        run(training, loss_of, settings, accelerator, state, f"training segmenter ({state.name})")
    return TrainedSegmenter(training.averaged(), training.losses.tolist(), training.seconds)


def content_hash(window: LabeledWindow) -> str:
    """SHA-256 of a window's image and labels."""
    content = hashlib.sha256(window.image.numpy().tobytes())
    content.update(window.labels.tobytes())
    return content.hexdigest()


def new_segmenter(sources: Sources, settings: SegmenterSettings, seed: int) -> SegmenterModule:
    """Make an untrained segmenter; see `build_segmenter`."""
    with seeded(seed):
        denoiser = sources.denoiser
        if settings.network is SegmenterNetwork.untrained:
            denoiser = build_denoiser(sources.settings, denoiser.image_channels)
        return build_segmenter(denoiser, sources.record.pixel_classes, settings)


def write_segmenter(
    out: Path,
    final: TrainedSegmenter,
    sources: Sources,
    methods: Mapping[Method, HeldOutMethod],
    scores: Mapping[Method, ScoreSum],
    settings: SegmenterSettings,
    seed: int,
    seconds: float,
) -> SegmenterRecord:
    """Write the segmenter, the choice and its scores in place of the folder `out`; `seconds` of all trainings."""
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in final.network.state_dict().items()}
    ahead = leads(scores)
    with replaced_folder(out) as folder:
        save_file(weights, folder / WEIGHTS_FILE)
        (folder / WEIGHTS_FILE).chmod(0o644)
        write_losses(folder, final.losses)
        record = SegmenterRecord(
            method=best_method(ahead),
            decoders={method: each.decoder() for method, each in methods.items()},
            out_of_fold={str(method): scores_of(each) for method, each in scores.items()},
            leads={str(method): list(lead) for method, lead in ahead.items()},
            settings=settings,
            seed=seed,
            n_labels=sources.record.n_labels,
            n_pairs=len(sources.pairs),
            steps=settings.steps,
            wall_seconds=seconds,
            ensemble_sha256=sources.record.ensemble_sha256,
            weights_sha256=sha256_file(folder / WEIGHTS_FILE),
            versions={name: version(name) for name in LIBRARIES},
        )
        record.write(folder)
    return record
