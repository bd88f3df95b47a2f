"""The methods: each takes a trial and gives back what finds objects in an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from fewstain.baselines.cellpose import Cellpose
from fewstain.baselines.extracted import NamedExtractor, fit_extractor
from fewstain.baselines.gan.segmenter import DatasetGanSegmenter
from fewstain.baselines.gan.training import Gan, load_gan
from fewstain.baselines.pool_training import read_pretrained
from fewstain.baselines.segmenter import PixelSegmenter
from fewstain.baselines.tuned import tune_fitted, tune_segmenter
from fewstain.benchmark.interface import Find, Fitted, Trial
from fewstain.benchmark_settings import MethodName
from fewstain.images.normalise import Normaliser
from fewstain.images.read import read_header
from fewstain.pairs.segmenter_record import WEIGHTS_FILE
from fewstain.pixels.ensemble import PixelEnsemble
from fewstain.pixels.folder import DENOISER_WEIGHTS, ENSEMBLE_FILE
from fewstain.pixels.model import Model
from fewstain.pixels.tune import decode_maps
from fewstain.settings import PixelSettings, Settings

FOLD_SHARE = 0.25  # of the seconds of the last training, for that of each fold, by which only the decoder is chosen


def fit(method: MethodName, trial: Trial) -> Fitted:
    """Let a method learn from a trial."""
    return METHODS[method](trial)


def count_parameters(*networks: nn.Module) -> int:
    """Count the numbers in networks."""
    return sum(each.numel() for network in networks for each in network.parameters())


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


def fit_forest(trial: Trial) -> Fitted:
    """Random forests on classical filters."""
    from fewstain.baselines.forest import ForestSegmenter

    fitted, notes = _fit_segmenter(trial, lambda share: ForestSegmenter(seed=trial.seed))
    return Fitted(fitted.find, fitted.segmenter.nodes, notes)


def fit_unet(trial: Trial) -> Fitted:
    """Train a U-Net from scratch on the labels of the trial, which may be all there are."""
    from fewstain.baselines.unet import UNetSegmenter

    def new(share: float) -> UNetSegmenter:
        return UNetSegmenter(**trial.budget(share), device=_device(), seed=trial.seed)

    fitted, notes = _fit_segmenter(trial, new)
    return Fitted(fitted.find, fitted.segmenter.parameters, notes | {"steps": fitted.segmenter.steps_done})


def fit_ddpm_seg(trial: Trial) -> Fitted:
    """Train the published pixel classifiers on our denoiser's features."""
    from fewstain.baselines.ddpm_seg import DdpmSeg
    from fewstain.diffusion.network import load_denoiser

    denoiser = load_denoiser(trial.folder).to(_device())
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

    mae = load_mae(trial.folder).to(_device())
    return _fit_extractor(trial, MaeFeatures(mae), read_pretrained(trial.folder).normaliser, count_parameters(mae))


def fit_vae(trial: Trial) -> Fitted:
    """Put the activations of a VAE in the place of the denoiser's features."""
    from fewstain.baselines.vae import VaeFeatures
    from fewstain.diffusion.latent.vae import load_vae

    vae = load_vae(trial.folder).to(_device())
    return _fit_extractor(trial, VaeFeatures(vae), read_pretrained(trial.folder).normaliser, count_parameters(vae))


def fit_cellpose(trial: Trial) -> Fitted:
    """Train Cellpose from random weights; its own decoder, scaled by the labeled objects' diameter."""
    normaliser, channels = trial.normaliser(), list(trial.chosen_channels())
    cellpose = Cellpose(
        Path(trial.options["cellpose"]), trial.work / "cellpose", **trial.budget(), seed=trial.seed
    ).fit(trial.windows(normaliser))
    facts = dict(cellpose.facts)
    return Fitted(
        lambda pixels: cellpose.find(normaliser.apply(pixels[..., channels])),
        int(facts.pop("parameters")),
        facts,
        cellpose.close,
    )


def fit_timm(trial: Trial) -> Fitted:
    """Put the features of a network trained elsewhere in the place of the denoiser's."""
    from fewstain.baselines.timm_features import TimmFeatures

    extractor = TimmFeatures(trial.options["timm"], Path(trial.options["weights"]))
    extractor.model.to(_device())
    return _fit_extractor(trial, extractor, trial.normaliser(), count_parameters(extractor.model))


def fit_datasetgan(trial: Trial) -> Fitted:
    """Label what a generator paints by crops projected into it, and train a U-Net on that and on the windows."""
    projected: dict[str, Tensor] = {}  # by no label, so that folds share them
    gan, settings = _gan(trial)

    def new(share: float) -> DatasetGanSegmenter:
        return DatasetGanSegmenter(
            gan, settings, trial.budget(share), seed=trial.seed, device=_device(), projected=projected
        )

    fitted, notes = _fit_segmenter(trial, new)
    return Fitted(fitted.find, fitted.segmenter.parameters, notes | {"pairs": fitted.segmenter.kept})


def fit_annotated(trial: Trial) -> Fitted:
    """Label 24 of a generator's images by a U-Net that has all labels of the pool: DatasetGAN's best case."""
    from fewstain.baselines.unet import UNetSegmenter

    gan, settings = _gan(trial)
    normaliser, channels = trial.normaliser(), list(trial.chosen_channels())
    windows = trial.windows(normaliser)

    def new(share: float) -> UNetSegmenter:
        return UNetSegmenter(**trial.budget(share), device=_device(), seed=trial.seed)

    annotator_decoder = tune_segmenter(lambda: new(FOLD_SHARE), windows, trial.settings.pixels, trial.seed)
    annotator = new(1.0).fit(windows)
    segmenter = DatasetGanSegmenter(
        gan,
        settings,
        trial.budget(),
        seed=trial.seed,
        device=_device(),
        annotate=lambda image: decode_maps(annotator.predict(image), annotator_decoder),
    ).fit(windows)
    decoder = tune_fitted(segmenter, windows, trial.settings.pixels, trial.seed)
    return Fitted(
        lambda pixels: decode_maps(segmenter.predict(normaliser.apply(pixels[..., channels])), decoder),
        segmenter.parameters,
        {"windows": len(windows), "pairs": segmenter.kept},
    )


def _gan(trial: Trial) -> tuple[Gan, PixelSettings]:
    """Load the GAN, and give the ensemble's settings for its maps."""
    gan = load_gan(trial.folder).to(_device())
    components = components_of(trial.settings, gan.generator.layers)
    return gan, trial.settings.pixels.model_copy(update={"components": components})


METHODS: dict[MethodName, Callable[[Trial], Fitted]] = {
    MethodName.ours: fit_ours,
    MethodName.filters: fit_filters,
    MethodName.ddpm_seg: fit_ddpm_seg,
    MethodName.mae: fit_mae,
    MethodName.vae: fit_vae,
    MethodName.datasetgan: fit_datasetgan,
    MethodName.datasetgan_annotated: fit_annotated,
    MethodName.cellpose: fit_cellpose,
    MethodName.timm: fit_timm,
    MethodName.unet: fit_unet,
    MethodName.unet_all: fit_unet,
    MethodName.forest: fit_forest,
}


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


def ensemble_parameters(model: Model) -> int:
    """Count the weights of a model that is an ensemble alone."""
    record = model.record
    return count_parameters(PixelEnsemble(record.members, record.features, record.pixel_classes, record.hidden))


def components_of(settings: Settings, maps: int) -> int:
    """Give so many components to each of an extractor's maps that all together are as many as a denoiser's get."""
    blocks = 1 + len(settings.diffusion.channels) * (settings.diffusion.layers_per_block + 1)
    return round(settings.pixels.components * len(settings.pixels.timesteps) * blocks / maps)


def _few(scores: Any) -> dict[str, Any]:
    """Scores worth keeping of an out-of-fold estimate."""
    return {name: scores.get(name) for name in ("AP50", "AP", "PQ")}


def _device() -> str:
    from accelerate.state import PartialState

    return str(PartialState().device)
