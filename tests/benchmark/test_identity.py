import pytest

from fewstain.benchmark import identity
from fewstain.benchmark.identity import (
    METHOD_VERSIONS,
    backbone,
    budget_kind,
    cell_facts,
    data_facts,
    denoiser_folder_facts,
    digest,
    numbers_of,
    pool_facts,
)
from fewstain.benchmark_settings import BenchmarkSettings, MethodName
from fewstain.settings import Preset
from fewstain.stages import CODE_VERSIONS


def facts(method, **changed):
    settings = BenchmarkSettings(stains=("disks",), **changed)
    return cell_facts(MethodName(method), settings, as_long_as_ours=False)


@pytest.mark.parametrize("method", ["ours", "filters", "mae", "datasetgan"])
def test_what_the_ensemble_learns_by_is_part_of_a_cell_that_has_one(method):
    assert facts(method) != facts(method, pixels={"steps": 7})


@pytest.mark.parametrize("method", ["forest", "unet", "unet-all"])
def test_a_method_with_our_decoder_depends_on_how_that_is_chosen_and_on_nothing_else_of_the_pixel_fit(method):
    assert facts(method) == facts(method, pixels={"steps": 7, "views": 2})
    assert facts(method) != facts(method, pixels={"decoder_trials": 7})


@pytest.mark.parametrize("method", ["ddpm-seg", "cellpose"])
def test_a_method_with_a_decoder_of_its_own_depends_on_nothing_of_the_pixel_fit(method):
    assert facts(method) == facts(method, pixels={"decoder_trials": 7, "steps": 7})


def test_only_ours_depends_on_the_segmenter():
    assert facts("ours") != facts("ours", segmenter={"steps": 7})
    assert facts("mae") == facts("mae", segmenter={"steps": 7})


@pytest.mark.parametrize("method", ["unet", "unet-all", "datasetgan", "datasetgan-annotated"])
def test_a_number_that_was_used_twice_is_not_used_again(method):
    assert METHOD_VERSIONS[method] > 7


@pytest.mark.parametrize("method", ["unet", "unet-all", "datasetgan", "datasetgan-annotated"])
def test_a_unet_of_another_size_renames_its_cells_and_those_of_the_default_keep_their_names(method):
    assert "unet" not in facts(method)
    assert "unet" not in facts(method, preset="demo")
    assert facts(method, preset="gpu")["unet"]["features"][0] == 64
    assert "unet" not in facts("mae", preset="gpu")


@pytest.mark.parametrize(
    ("stage", "renamed"),
    [
        ("pixels", {"ours", "filters", "mae", "vae", "timm", "ddpm-seg", "datasetgan", "datasetgan-annotated"}),
        ("segment", {"ours", "filters", "mae", "vae", "timm"}),
        ("segmenter", {"ours"}),
    ],
)
def test_another_version_of_a_stage_renames_the_cells_that_run_on_it(monkeypatch, stage, renamed):
    before = {method: facts(method) for method in MethodName}
    monkeypatch.setitem(CODE_VERSIONS, stage, 99)
    assert {method for method in MethodName if facts(method) != before[method]} == renamed


def test_another_denoisers_training_renames_what_may_take_as_long(monkeypatch):
    def both(settings):
        unet = cell_facts(MethodName.unet, settings, as_long_as_ours=True)
        return unet, pool_facts("mae", settings, as_long_as_ours=True), pool_facts("diffusion", settings, False)

    settings = BenchmarkSettings(stains=("disks",))
    before = both(settings)
    # what changes only the report, or how often the state is saved, changes no name
    assert both(BenchmarkSettings(stains=("disks",), diffusion={"samples": 3, "sample_steps": 2})) == before
    assert both(BenchmarkSettings(stains=("disks",), diffusion={"checkpoint_seconds": 5})) == before
    assert facts("ours", segmenter={"checkpoint_seconds": 5, "pairs_share": 0.1}) == facts("ours")
    longer = both(BenchmarkSettings(stains=("disks",), diffusion={"steps": 7}))
    assert all(new != old for new, old in zip(longer, before, strict=True))
    monkeypatch.setitem(CODE_VERSIONS, "diffusion", 99)
    assert all(new != old for new, old in zip(both(settings), before, strict=True))


def test_the_denoisers_folder_is_named_as_ever():
    settings = BenchmarkSettings(stains=("disks",), diffusion={"samples": 3})
    facts = {"kind": "diffusion", "preset": "cpu", "version": CODE_VERSIONS["diffusion"]}
    assert denoiser_folder_facts(settings) == facts | {
        "diffusion": numbers_of(settings).diffusion.model_dump(mode="json")
    }


@pytest.mark.parametrize("kind", ["mae", "vae", "gan"])
def test_numbers_of_other_pretrainings_are_part_of_their_names(monkeypatch, kind):
    settings = BenchmarkSettings(stains=("disks",), seconds=60)
    before = pool_facts(kind, settings, False)
    cpu = identity.POOL_PRESETS[kind][Preset.cpu]
    for changed, same in (({"steps": 7, "checkpoint_seconds": 5}, True), ({"batch_size": 7}, False)):
        other = {Preset.cpu: cpu.model_copy(update=changed)}
        monkeypatch.setitem(identity.POOL_PRESETS, kind, other)
        assert (pool_facts(kind, settings, False) == before) == same


def test_what_a_training_may_take_in_words():
    settings = BenchmarkSettings(stains=("disks",))
    assert budget_kind(MethodName.mae, settings) == "as long as ours"
    assert budget_kind(MethodName.unet, settings.model_copy(update={"seconds": 60.0})) == "60 seconds"
    assert budget_kind(MethodName.cellpose, settings.model_copy(update={"steps": 3})) == "3 steps"
    assert {budget_kind(MethodName(name), settings) for name in ("ours", "ddpm-seg", "forest", "filters")} == {None}


def test_weights_from_elsewhere_are_named_and_hashed(tmp_path):
    (tmp_path / "cyto3").write_bytes(b"one")
    given = {"cellpose_weights": str(tmp_path / "cyto3"), "timm": "vit", "weights": str(tmp_path / "cyto3")}
    assert backbone(MethodName.cellpose, given) == "cyto3@7692c3ad3540"
    assert backbone(MethodName.timm, given) == "vit@7692c3ad3540"
    assert backbone(MethodName.cellpose, {}) is backbone(MethodName.mae, given) is None
    assert facts("cellpose", cellpose_weights=given["weights"]) != facts("cellpose")
    assert facts("forest", cellpose_weights=given["weights"]) == facts("forest")


def test_channels_count_only_where_some_were_chosen():
    assert data_facts("abc", None) == {"data": "abc"}
    assert data_facts("abc", (0, 2)) == {"data": "abc", "channels": [0, 2]}


def test_weights_of_timm_count_by_what_is_in_the_file(tmp_path):
    found = []
    for name, content in (("a", b"one"), ("b", b"one"), ("a", b"other"), ("nowhere", None)):
        if content is not None:
            (tmp_path / name).write_bytes(content)
        found.append(facts("timm", weights=str(tmp_path / name))["weights"])
    assert found[0] == found[1] == "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed"
    assert found[2] != found[0]
    assert found[3] is None


def test_digest_does_not_depend_on_the_order_of_facts():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1}) == "d8497d9d8277"


def test_numbers_are_the_presets_but_for_those_that_are_written():
    numbers = numbers_of(BenchmarkSettings(stains=("disks",), preset="demo", pixels={"steps": 7}))
    assert (numbers.pixels.steps, numbers.pixels.members) == (7, 3)
