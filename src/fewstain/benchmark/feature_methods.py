"""Methods that classify pixels by features: our own, and others that put other features in their place."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from accelerate.state import PartialState
from safetensors.torch import load_file
from torch import nn

from fewstain.baselines.extracted import NamedExtractor, fit_extractor
from fewstain.baselines.pool_training import read_pretrained
from fewstain.benchmark.interface import Fitted, Trial
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_header
from fewstain.pairs.segmenter_record import WEIGHTS_FILE
from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.folder import DENOISER_WEIGHTS, ENSEMBLE_FILE
from fewstain.pixels.model import Model
from fewstain.settings import Settings


def fit_ours(trial: Trial) -> Fitted:
    """Do what the workflow does: fit-pixels on the denoiser, train-segmenter, then the model of the results folder."""
    import fewstain
    from fewstain.pairs.segmenter_fit import train_segmenter
    from fewstain.pixels.fit import fit_pixels

    results = trial.work / "results"
    results.mkdir(exist_ok=True)
    link = results / "diffusion"
    link.unlink(missing_ok=True)
    link.symlink_to(trial.folder.resolve(), target_is_directory=True)
    record = fit_pixels(trial.dataset, link, results / "pixels", trial.settings.pixels, seed=trial.seed)
    chosen = train_segmenter(
        results,
        trial.dataset,
        results / "segmenter",
        trial.work / "state",
        trial.settings.segmenter,
        seed=trial.seed,
        restart=True,
    )
    model = fewstain.load(results)
    notes = {
        "timesteps": record.timesteps,
        "blocks": record.blocks,
        "method": chosen.method,
        "out_of_fold": {name: _few(scores) for name, scores in chosen.out_of_fold.items()},
    }
    weights = [link / DENOISER_WEIGHTS, results / "pixels" / ENSEMBLE_FILE, results / "segmenter" / WEIGHTS_FILE]
    return Fitted(
        lambda pixels: model.segment(pixels, trial.settings.segment).labels,
        sum(tensor.numel() for file in weights for tensor in load_file(file).values()),
        notes,
    )


def fit_filters(trial: Trial) -> Fitted:
    """Our ensemble without anything learned from the pool."""
    return _fit_extractor(trial, None, trial.normaliser(), 0)


def fit_ddpm_seg(trial: Trial) -> Fitted:
    """Train the published pixel classifiers on our denoiser's features."""
    from fewstain.baselines.ddpm_seg import DdpmSeg
    from fewstain.diffusion.network import load_denoiser

    denoiser = load_denoiser(trial.folder).to(PartialState().device)
    normaliser, channels = read_pretrained(trial.folder).normaliser, list(trial.chosen_channels())
    fitted = DdpmSeg(denoiser, seed=trial.seed, settings=trial.settings.segment)
    fitted.fit(trial.windows(normaliser, denoiser.multiple))
    return Fitted(
        lambda pixels: fitted.find(normaliser.apply(pixels[..., channels])),
        count_parameters(denoiser, *fitted.classifiers),
        {"timesteps": fitted.extractor.timesteps, "blocks": fitted.extractor.blocks},
    )


def fit_mae(trial: Trial) -> Fitted:
    """Put the tokens of a masked autoencoder in the place of the denoiser's features."""
    from fewstain.baselines.mae import MaeFeatures, load_mae

    mae = load_mae(trial.folder).to(PartialState().device)
    return _fit_extractor(trial, MaeFeatures(mae), read_pretrained(trial.folder).normaliser, count_parameters(mae))


def fit_vae(trial: Trial) -> Fitted:
    """Put the activations of a VAE in the place of the denoiser's features."""
    from fewstain.baselines.vae import VaeFeatures
    from fewstain.diffusion.latent.vae import load_vae

    vae = load_vae(trial.folder).to(PartialState().device)
    return _fit_extractor(trial, VaeFeatures(vae), read_pretrained(trial.folder).normaliser, count_parameters(vae))


def fit_timm(trial: Trial) -> Fitted:
    """Put the features of a network trained elsewhere in the place of the denoiser's."""
    from fewstain.baselines.timm_features import TimmFeatures

    extractor = TimmFeatures(trial.options["timm"], Path(trial.options["weights"]))
    extractor.model.to(PartialState().device)
    return _fit_extractor(trial, extractor, trial.normaliser(), count_parameters(extractor.model))


def _fit_extractor(trial: Trial, extractor: NamedExtractor | None, normaliser: Normaliser, parameters: int) -> Fitted:
    """Fit the ensemble on an extractor's features; `parameters` are those of the extractor."""
    header = read_header(trial.dataset.images[0])
    windows = trial.windows(normaliser, 1 if extractor is None else extractor.multiple)
    settings = trial.settings.pixels
    if extractor is not None:
        components = components_of(trial.settings, len(extractor.names))
        settings = settings.model_copy(update={"components": components})
    model: Model = fit_extractor(
        windows,
        extractor,
        settings,
        normaliser,
        channels=trial.chosen_channels(),
        file_channels=header.channels,
        dtype=str(np.dtype(header.dtype).newbyteorder("=")),
        seed=trial.seed,
    )
    return Fitted(
        lambda pixels: model.segment(pixels, trial.settings.segment).labels,
        parameters + ensemble_parameters(model),
        {"maps": model.record.blocks, "out_of_fold": _few(model.record.out_of_fold)},
    )


def components_of(settings: Settings, maps: int) -> int:
    """Give so many components to each of an extractor's maps that all together are as many as a denoiser's get."""
    blocks = 1 + len(settings.diffusion.channels) * (settings.diffusion.layers_per_block + 1)
    return round(settings.pixels.components * len(settings.pixels.timesteps) * blocks / maps)


def ensemble_parameters(model: Model) -> int:
    """Count the weights of a model that is an ensemble alone."""
    record = model.record
    return count_parameters(PixelEnsemble(record.members, record.features, record.pixel_classes, record.hidden))


def count_parameters(*networks: nn.Module) -> int:
    """Count the numbers in networks."""
    return sum(each.numel() for network in networks for each in network.parameters())


def _few(scores: Any) -> dict[str, Any]:
    """Scores worth keeping of an out-of-fold estimate."""
    return {name: scores.get(name) for name in ("AP50", "AP", "PQ")}
