import inspect

import pytest
from diffusers import DDPMScheduler

from fewstain.cli.diffusion import adapt
from fewstain.cli.painting import sample
from fewstain.config import parse_config
from fewstain.diffusion.conditions import image_set
from fewstain.diffusion.methods import METHODS, check_method
from fewstain.errors import UserError
from fewstain.settings import Preset
from fewstain.toolbox import AdapterSettings, Method, SampleSettings, Target, training_numbers, training_options
from fewstain.toolbox_fit import PATCH

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
    chosen = settings({"adapters": {"a": {"rank": 2, "target": "attention", "steps": 5}}})
    assert chosen.adapters["a"].options() == ["--rank", "2", "--target", "attention", "--steps", "5"]


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
        ({"samples": {"method": "heun", "steps": 2}}, "datasets.b.toolbox.samples: steps is 2, but heun takes"),
        (
            {"samples": {"method": "rk4", "steps": 4}},
            "evaluations of the network; write 5 or more, or choose another method",
        ),
        ({"samples": {"n": 1, "steps": 1001}}, "samples.steps is 1001, but with diffusion.train_timesteps = 1000 ddim"),
        ({"samples": {"n": 1, "size": 50}}, "b.toolbox.samples.size is 50, but must be a multiple of 8"),
        ({"latent": {"vae": {"crop": 62}}}, "latent.vae.crop is 62, but must be a multiple of 4"),
        ({"latent": {"diffusion": {"crop": 120}}}, "latent.diffusion.crop is 120, but must be a multiple of 16"),
        ({"latent": {"diffusion": {"attention": [5]}}}, "attention names level 5"),
        ({"control": {"numbers": {"crop": 60}}}, "control.numbers.crop is 60, but must be a multiple of 8"),
        ({"translation": {"numbers": {"crop": 50}}}, "translation.numbers.crop is 50, but must be a multiple of 16"),
        ({"samples": {"n": True}}, "datasets.b.toolbox.samples.n: true, false, yes and no"),
        ({"adapters": {"a": {"target": "some"}}}, "not 'some'"),
        ({"adapters": {"a": {"rank": 2, "target": "keys-values"}}}, "b.toolbox.adapters.a: rank is 2, but target keys"),
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


def test_a_crop_that_no_denoiser_of_several_datasets_can_take_is_told():
    def across(crop, key):
        return parse_config({"datasets": BASE, "across": {key: ["a"], "conditions": {"crop": crop}}})

    with pytest.raises(UserError, match=r"across\.conditions\.crop is 60, but must be a multiple of 8 .*; write 56"):
        across(60, "words")
    assert across(56, "words").across.conditions.crop == 56
    with pytest.raises(UserError, match=r"across\.conditions\.crop is 56, but must be a multiple of 16 .*; write 48"):
        across(56, "few_shot")


def test_config_knows_what_the_samplers_and_the_encoder_take():
    assert image_set.PATCH == PATCH
    assert {method.value for method in Method} == set(METHODS)
    scheduler = DDPMScheduler(num_train_timesteps=20)
    for method in Method:
        fewest = METHODS[method].fewest
        asked = SampleSettings(method=method, steps=fewest)
        assert asked.fewest_steps == fewest
        check_method(scheduler, method.value, asked.most_steps(20))
        with pytest.raises(UserError):
            check_method(scheduler, method.value, asked.most_steps(20) + 1)


def test_numbers_that_were_written_replace_those_of_the_preset():
    numbers = training_numbers(Preset.gpu, "vae", settings({"latent": {"vae": {"steps": 9}}}).latent.vae)
    assert (numbers.steps, numbers.channels) == (9, (64, 128))
