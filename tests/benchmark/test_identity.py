import pytest

from fewstain.benchmark.identity import cell_facts, data_facts, digest, numbers_of
from fewstain.benchmark_settings import BenchmarkSettings, MethodName


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
