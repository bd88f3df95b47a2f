import json

import numpy as np
import pytest

from fewstain.benchmark.plan import budget_options, cell_options, make_plan
from fewstain.benchmark_settings import BenchmarkSettings
from fewstain.config import parse_config
from fewstain.errors import UserError
from fewstain.images.write import write_labels


def plan(stain, **more):
    settings = BenchmarkSettings.model_validate({"stains": [str(stain)], "seeds": [0], "n": [2, 4], **more})
    return make_plan(settings), settings


def names(stain, **more):
    return {(cell.method.value, cell.n): cell.hash for cell in plan(stain, **more)[0].cells}


def test_methods_times_n_times_seeds_and_all_labels_once(disks_stain):
    found, _ = plan(disks_stain, methods=["forest", "unet-all"])
    assert [(cell.method.value, cell.n) for cell in found.cells] == [("forest", 2), ("forest", 4), ("unet-all", None)]
    assert found.cells[2].name.startswith("disks-unet-all-nall-seed0-")


def test_more_labels_than_there_are_are_all_there_are(disks_stain):
    found, _ = plan(disks_stain, methods=["forest"], n=[2, 20, 50])
    assert [cell.n for cell in found.cells] == [2, 4]


def test_what_is_learned_from_the_pool_is_shared(disks_stain):
    found, _ = plan(disks_stain, methods=["ours", "ddpm-seg", "mae"])
    assert {each.kind for each in found.pretrainings} == {"diffusion", "mae"}
    (mae,) = [each for each in found.pretrainings if each.kind == "mae"]
    assert mae.like.kind == "diffusion"  # which it may take as long as
    told, _ = plan(disks_stain, methods=["mae"], seconds=60)
    assert [each.kind for each in told.pretrainings] == ["mae"]


def test_a_cell_changes_its_name_with_what_it_depends_on_and_no_more(disks_stain):
    methods = ["ours", "forest", "unet"]
    before = names(disks_stain, methods=methods)
    trained_longer = names(disks_stain, methods=methods, diffusion={"steps": 7})
    assert before["forest", 2] == trained_longer["forest", 2]
    assert before["ours", 2] != trained_longer["ours", 2]
    assert before["unet", 2] != trained_longer["unet", 2]  # may train as long
    steps = names(disks_stain, methods=methods, steps=3)
    assert before["forest", 2] == steps["forest", 2]
    assert before["ours", 2] == steps["ours", 2]
    assert before["unet", 2] != steps["unet", 2]
    few_methods = names(disks_stain, methods=["forest"], seeds=[0], n=[2])
    assert few_methods["forest", 2] == before["forest", 2]


def test_what_is_only_for_the_report_names_the_denoisers_folder_and_no_cell(disks_stain):
    methods = ["ours", "mae", "unet"]
    assert names(disks_stain, methods=methods) == names(disks_stain, methods=methods, diffusion={"samples": 3})
    before, after = (
        {each.kind: each.name for each in plan(disks_stain, methods=methods, diffusion=changed)[0].pretrainings}
        for changed in ({}, {"samples": 3})
    )
    assert before["mae"] == after["mae"]
    assert before["diffusion"] != after["diffusion"]


def test_what_cannot_run_here_is_left_out_and_says_why(disks_stain):
    found, _ = plan(disks_stain, methods=["cellpose", "timm", "forest"], cellpose="nowhere/python")
    assert {cell.method.value for cell in found.cells} == {"forest"}
    assert "nowhere/python" in found.left_out["cellpose"]
    assert found.left_out["timm"]


def test_options_give_the_cell(disks_stain):
    found, settings = plan(disks_stain, methods=["forest"], n=[2], pixels={"members": 3})
    options = cell_options(found.cells[0], settings)
    assert options[:3] == [str(disks_stain), "--method", "forest"]
    assert options[options.index("--n") + 1] == "2"
    assert "pixels.members=3" in options
    assert budget_options(settings, "diffusion") == ["--as-long-as", "diffusion"]
    assert budget_options(settings.model_copy(update={"seconds": 5.0}), "diffusion") == ["--seconds", "5"]


def test_names_of_datasets_are_folders_under_data(disks_stain):
    settings = BenchmarkSettings(stains=("disks",), methods=("forest",), seeds=(0,))
    assert make_plan(settings, disks_stain.parent, ["disks"]).cells[0].source == disks_stain
    with pytest.raises(UserError, match="no such folder"):
        make_plan(settings)


def test_a_stain_without_labels_of_test_images_is_told_before_anything_is_trained(tmp_path):
    write_labels(tmp_path / "cells" / "labels" / "a.tif", np.ones((8, 8), int))
    with pytest.raises(UserError, match=r"cells/test/labels: no labels of test images; a method can't be scored with"):
        plan(tmp_path / "cells", methods=["forest"])


def test_channels_of_a_dataset_are_part_of_its_names_and_options(disks_stain):
    methods = ("forest", "mae")
    settings = BenchmarkSettings(stains=("disks",), methods=methods, seeds=(0,), n=(2,))
    whole, first, second = (
        make_plan(settings, disks_stain.parent, ["disks"], channels)
        for channels in ({}, {"disks": (0,)}, {"disks": (1, 2)})
    )
    for number in range(2):
        assert len({found.cells[number].hash for found in (whole, first, second)}) == 3
    assert len({each.hash for found in (whole, first, second) for each in found.pretrainings}) == 6
    assert "--channels" not in cell_options(whole.cells[0], settings)
    options = cell_options(second.cells[0], settings)
    assert options[options.index("--channels") + 1] == "1,2"
    assert second.pretrainings[0].channels == (1, 2)
    by_path = settings.model_copy(update={"stains": (str(disks_stain),)})
    assert make_plan(by_path, disks_stain.parent, ["disks"], {"disks": (0,)}).cells == first.cells
    assert make_plan(settings, disks_stain.parent, ["disks"], {"other": (0,)}).cells == whole.cells


def test_another_way_to_turn_time_into_steps_trains_anew_what_was_told_a_time(disks_stain, monkeypatch):
    def hashes(**budget):
        return {each.kind: each.hash for each in plan(disks_stain, methods=["mae", "ours"], **budget)[0].pretrainings}

    before = hashes(), hashes(seconds=60), hashes(steps=3)
    monkeypatch.setattr("fewstain.benchmark.identity.BUDGET_VERSION", 99)
    after = hashes(), hashes(seconds=60), hashes(steps=3)
    assert [old["mae"] == new["mae"] for old, new in zip(before, after, strict=True)] == [False, False, True]
    assert before[0]["diffusion"] == after[0]["diffusion"]


def test_the_subset_may_be_a_file_or_text_of_the_command_line(tmp_path):
    subset = {"stains": ["a"], "methods": ["forest"], "n": ["20"], "seeds": ["1"]}  # snakemake gives all as text
    file = tmp_path / "subset.yaml"
    file.write_text(json.dumps(subset))
    for given in (subset, str(file)):
        config = parse_config({"datasets": {"a": None}, "benchmark": given})
        assert (config.benchmark.n, config.benchmark.seeds) == ((20,), (1,))
    with pytest.raises(UserError, match="nor a YAML file"):
        parse_config({"datasets": {"a": None}, "benchmark": "nowhere.yaml"})
    with pytest.raises(UserError, match="did you mean 'methods'"):
        parse_config({"datasets": {"a": None}, "benchmark": {"stains": ["a"], "metods": ["mae"]}})
