"""Every method that learns from the pool, from its pretraining to a scored cell, on tiny networks."""

from dataclasses import replace
from functools import partial

import pytest

from fewstain.baselines import ddpm_seg
from fewstain.baselines.gan import segmenter
from fewstain.baselines.gan.training import GanSettings
from fewstain.baselines.mae import MaeSettings
from fewstain.baselines.presets import UNET_PRESETS, UNetSettings
from fewstain.baselines.unet import UNetSegmenter
from fewstain.benchmark import pretrain, segmenter_methods
from fewstain.benchmark.cell import CellRun, run_cell
from fewstain.benchmark.feature_methods import components_of
from fewstain.benchmark.methods import METHODS
from fewstain.benchmark_settings import TITLES, MethodName
from fewstain.dataset import open_dataset
from fewstain.errors import UserError
from fewstain.settings import (
    DiffusionSettings,
    PixelSettings,
    Preset,
    SegmenterSettings,
    SegmentSettings,
    Settings,
    VaeSettings,
)

BRIEF = {"batch_size": 2, "warmup_steps": 1}
SETTINGS = Settings(
    diffusion=DiffusionSettings(channels=(8,), unshuffle=1, crop=16, steps=2, samples=0, **BRIEF),
    pixels=PixelSettings(
        timesteps=(20,),
        folds=2,
        decoder_trials=2,
        decoder_views=0,
        decoders=1,
        views=1,
        steps=20,
        members=2,
        hidden=(8, 4),
        batch_pixels=64,
        table_pixels=512,
    ),
    segmenter=SegmenterSettings(crop=32, steps=2, fold_steps=2, batch_size=2, views=0, decoder_trials=1),
    segment=SegmentSettings(tile=64, overlap=8),
)
PRESETS = {
    "mae": MaeSettings(crop=16, hidden=8, layers=2, heads=2, decoder_hidden=8, decoder_layers=1, **BRIEF),
    "vae": VaeSettings(crop=16, channels=(8, 8), **BRIEF),
    "gan": GanSettings(crop=32, widths=(8, 8, 8, 8), width=6, **BRIEF),
}


@pytest.fixture(scope="module")
def learned(disks_stain, tmp_path_factory):
    """Learn something from the pool; the same folder for all methods that build on it."""
    place, done = tmp_path_factory.mktemp("pool"), {}

    def learn(kind):
        if kind not in done:
            out = place / kind
            with pytest.MonkeyPatch.context() as patch:
                if kind != "diffusion":
                    patch.setitem(pretrain.KINDS, kind, (pretrain.KINDS[kind][0], {Preset.demo: PRESETS[kind]}))
                pretrain.pretrain(
                    kind, open_dataset(disks_stain), out, place / f"{kind}-state", SETTINGS, Preset.demo, steps=2
                )
            done[kind] = out
        return done[kind]

    return learn


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("ours", "diffusion"),
        ("ddpm-seg", "diffusion"),
        ("mae", "mae"),
        ("vae", "vae"),
        ("datasetgan", "gan"),
        ("datasetgan-annotated", "gan"),
    ],
)
def test_a_method_builds_on_what_was_learned_from_the_pool(disks_stain, learned, tmp_path, monkeypatch, method, kind):
    monkeypatch.setattr(
        segmenter_methods,
        "DatasetGanSegmenter",
        lambda *given, **more: segmenter.DatasetGanSegmenter(*given, pairs=3, projection_steps=1, **more),
    )
    monkeypatch.setattr(ddpm_seg, "DdpmSeg", partial(ddpm_seg.DdpmSeg, members=2, most_epochs=1))
    run = CellRun(disks_stain, "disks", MethodName(method), 4, 0, SETTINGS, pretrained=learned(kind), steps=1)
    run = replace(run, n=None) if method == "datasetgan-annotated" else run
    result = run_cell(run, tmp_path / "cell.json")
    assert result["status"] == "done", result
    assert result["scores"]["n_objects"] == 4
    assert result["seconds"]["pretraining"] > 0
    assert result["parameters"] > 1000


def test_the_unet_is_as_large_as_the_preset_says(disks_stain, tmp_path, monkeypatch):
    tiny, told = UNetSettings(features=(8, 8, 8, 8, 8, 8), batch_size=1), []

    def made(settings, **more):
        told.append(settings)
        return UNetSegmenter(settings=tiny, **more)

    monkeypatch.setattr(segmenter_methods, "UNetSegmenter", made)
    run = CellRun(disks_stain, "disks", MethodName.unet, 4, 0, SETTINGS, steps=1, preset=Preset.gpu)
    assert run_cell(run, tmp_path / "cell.json")["status"] == "done"
    assert set(told) == {UNET_PRESETS[Preset.gpu]}


def test_every_method_has_a_title_and_a_function():
    assert set(METHODS) == set(TITLES) == set(MethodName)


def test_other_features_get_as_many_components_as_a_denoisers():
    cpu = Settings()  # 3 timesteps x 7 blocks x 16 components
    assert components_of(cpu, 6) == 56
    assert components_of(cpu, 7) == 48


def test_a_pretraining_needs_a_budget_and_a_kind(disks_stain, tmp_path):
    dataset = open_dataset(disks_stain)
    with pytest.raises(UserError, match="--as-long-as"):
        pretrain.pretrain("mae", dataset, tmp_path / "a", tmp_path / "b", SETTINGS, Preset.demo)
    with pytest.raises(UserError, match="did you mean 'mae'"):
        pretrain.pretrain("mea", dataset, tmp_path / "a", tmp_path / "b", SETTINGS, Preset.demo)
