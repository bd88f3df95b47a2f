"""The methods: each takes a trial and gives back what finds objects in an image."""

from __future__ import annotations

from collections.abc import Callable

from fewstain.benchmark.feature_methods import fit_ddpm_seg, fit_filters, fit_mae, fit_ours, fit_timm, fit_vae
from fewstain.benchmark.interface import Fitted, Trial
from fewstain.benchmark.segmenter_methods import fit_annotated, fit_cellpose, fit_datasetgan, fit_forest, fit_unet
from fewstain.benchmark_settings import MethodName

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


def fit(method: MethodName, trial: Trial) -> Fitted:
    """Let a method learn from a trial."""
    return METHODS[method](trial)
