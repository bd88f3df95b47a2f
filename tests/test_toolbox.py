import inspect

import pytest

from fewstain.cli.diffusion import adapt
from fewstain.cli.painting import sample
from fewstain.config import parse_config
from fewstain.errors import UserError
from fewstain.settings import Preset
from fewstain.toolbox import AdapterSettings, Method, SampleSettings, Target, training_options

BASE = {"a": None}


def settings(toolbox):
    return parse_config({"datasets": BASE | {"b": {"toolbox": toolbox}}}).dataset("b").toolbox


def test_nothing_is_made_that_is_not_asked_for():
    chosen = parse_config({"datasets": BASE}).dataset("a").toolbox
    assert (chosen.samples.n, chosen.adapters) == (0, {})
    assert (chosen.latent, chosen.control, chosen.translation) == (None, None, None)
    assert chosen.folders(has_labels=True) == []


def test_what_is_asked_for_becomes_options():
    chosen = settings({"samples": {"n": 8, "method": "dpm++", "steps": 12, "size": 96}, "adapters": {"a": None}})
    assert chosen.samples.options() == ["-n", "8", "--method", "dpm++", "--steps", "12", "--size", "96"]
    assert "--size" not in SampleSettings(n=8).options()
    assert chosen.adapters["a"].options() == ["--target", "all", "--steps", "300"]
    chosen = settings({"adapters": {"a": {"rank": 2, "target": "keys-values", "steps": 5}}})
    assert chosen.adapters["a"].options() == ["--rank", "2", "--target", "keys-values", "--steps", "5"]


def test_a_key_alone_asks_for_it_with_the_numbers_of_the_preset():
    chosen = settings({"latent": None, "control": None, "translation": None})
    assert chosen.folders(has_labels=True) == ["latent", "control", "translation"]
    assert chosen.folders(has_labels=False) == ["latent", "translation"]  # there are no layouts to learn from yet
    edges = settings({"control": {"condition": "edges"}, "samples": {"n": 1}, "adapters": {"a": {}}})
    assert edges.folders(has_labels=False) == ["samples", "adapters/a", "control"]
    assert training_options(Preset.cpu, "vae", chosen.latent.vae) == ["--preset", "cpu"]


def test_only_the_numbers_that_were_written_become_options():
    chosen = settings({"latent": {"vae": {"steps": 9}, "diffusion": {"channels": [16, 32]}}})
    assert training_options(Preset.demo, "vae", chosen.latent.vae) == ["--preset", "demo", "--set", "vae.steps=9"]
    options = training_options(Preset.gpu, "diffusion", chosen.latent.diffusion)
    assert options == ["--preset", "gpu", "--set", "diffusion.channels=[16,32]"]


def test_the_workflow_and_the_command_line_have_the_same_defaults():
    verbs = inspect.signature(sample).parameters, inspect.signature(adapt).parameters
    for verb, model, names in zip(
        verbs, (SampleSettings(), AdapterSettings()), (("method", "steps"), ("rank", "target", "steps")), strict=True
    ):
        assert [verb[name].default for name in names] == [getattr(model, name) for name in names]
    assert (Method("dpm++"), Target("keys-values")) == (Method.dpmpp, Target.keys_values)


@pytest.mark.parametrize(
    ("toolbox", "told"),
    [
        ({"sample": {}}, "unknown key 'datasets.b.toolbox.sample'; did you mean 'samples'?"),
        ({"samples": {"steps": 0}}, "not 0; allowed: ≥ 1"),
        ({"samples": {"method": "magic"}}, "not 'magic'"),
        ({"samples": {"n": True}}, "datasets.b.toolbox.samples.n: true, false, yes and no"),
        ({"adapters": {"a": {"target": "some"}}}, "not 'some'"),
        ({"control": {"condition": "outlines"}}, "not 'outlines'"),
        ({"translation": {"numbers": {"step": 3}}}, "did you mean 'steps'?"),
        ({"latent": {"vae": {"steps": 0}}}, "not 0; allowed: ≥ 1"),
        (
            {"adapters": {"aa": {}}},
            "b.toolbox.adapters: 'aa' is no other dataset of this file; did you mean 'a'?",
        ),
        ({"adapters": {"b": {}}}, "'b' is no other dataset of this file; valid are: a"),
    ],
)
def test_wrong_wishes_are_told(toolbox, told):
    with pytest.raises(UserError) as caught:
        settings(toolbox)
    assert told in str(caught.value)
