import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fewstain.config import across_options, dataset_settings, load_config, pair_settings, parse_config
from fewstain.config_schema import config_schema
from fewstain.errors import UserError
from fewstain.overrides import cli_options, parse_set, resolve
from fewstain.pair_settings import PAIR_PRESETS
from fewstain.presets import PRESETS
from fewstain.settings import Preset

ROOT = Path(__file__).parents[1]


def read(tmp_path: Path, text: str):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    return load_config(path)


def test_the_projects_own_config_is_valid_and_runs_only_the_demo():
    config = load_config(ROOT / "config.yaml")
    assert list(config.datasets) == ["demo"]
    assert dataset_settings(config, "demo") == PRESETS[Preset.demo]


def test_every_commented_out_example_of_the_projects_config_is_valid(tmp_path):
    # an example is "#key" or "#  key" at the margin; prose is "# Prose"
    text = re.sub(r"^#(?=  |\w)", "", (ROOT / "config.yaml").read_text(), flags=re.MULTILINE)
    config = read(tmp_path, text)
    assert len(config.datasets) == 2
    overridden = next(dataset.overrides() for name, dataset in config.datasets.items() if name != "demo")
    assert all(overridden.values())


def test_schema_file_is_the_generated_one():
    text = (ROOT / "workflow/schemas/config.schema.json").read_text()
    assert text == json.dumps(config_schema(), indent=2) + "\n", "run `python -m fewstain.config_schema`"


def test_schema_forbids_unknown_keys_at_every_depth_and_fills_in_no_presets_number():
    schema = config_schema()
    models = [schema, *(part for part in schema["$defs"].values() if part["type"] == "object")]
    assert len(models) == 21
    assert all(model["additionalProperties"] is False for model in models)
    for section in ("DiffusionSettings", "ConditionalSettings"):
        assert "default" not in json.dumps(schema["$defs"][section])


def test_a_dataset_without_particulars_gets_the_preset(tmp_path):
    config = read(tmp_path, "preset: cpu\ndatasets:\n  a:\n  b:\n    preset: gpu\n")
    assert dataset_settings(config, "a") == PRESETS[Preset.cpu]
    assert dataset_settings(config, "b") == PRESETS[Preset.gpu]
    assert config.preset_of("b") is Preset.gpu


def test_only_written_numbers_replace_the_presets(tmp_path):
    config = read(tmp_path, "preset: gpu\ndatasets:\n  a:\n    diffusion: {steps: 7, learning_rate: 1e-3}\n")
    settings = dataset_settings(config, "a")
    assert (settings.diffusion.steps, settings.diffusion.learning_rate) == (7, 1e-3)
    assert settings.diffusion.batch_size == PRESETS[Preset.gpu].diffusion.batch_size


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("datasets: {a: }\npresett: cpu", "unknown key 'presett'; did you mean 'preset'?"),
        ("datasets: {a: {chanels: [0]}}", "unknown key 'datasets.a.chanels'; did you mean 'channels'?"),
        (
            "datasets: {a: {diffusion: {stepps: 3}}}",
            "unknown key 'datasets.a.diffusion.stepps'; did you mean 'steps'?",
        ),
        ("datasets: {a: {batch_size: 3}}", "unknown key 'datasets.a.batch_size'; it belongs under 'diffusion'"),
        (
            "datasets: {a: }\nquux: 1",
            "unknown key 'quux'; valid are: datasets, across, benchmark, preset, seed, data, results",
        ),
        ("datasets: {a: {n_labels: 0}}", "datasets.a.n_labels: "),
        ("datasets: {a: {n_labels: 0}}", "not 0; allowed: ≥ 2"),
        ("datasets: {a: {n_labels: 1}}", "datasets.a.n_labels: input should be greater than or equal to 2, not 1"),
        ("datasets: {a: {diffusion: {ema_decay: 1.5}}}", "not 1.5; allowed: ≥ 0 and < 1"),
        ("datasets: {a: {diffusion: {channels: [12]}}}", "not 12; allowed: each ≥ 8 and multiples of 8"),
        ("datasets: {a: {diffusion: {betas: cosin}}}", "input should be 'linear' or 'cosine', not 'cosin'"),
        ("datasets: {a: {diffusion: {steps: yes}}}", "datasets.a.diffusion.steps: true, false, yes and no are no"),
        ("datasets: {a: {diffusion: 3}}", "datasets.a.diffusion: "),
        ("datasets: {a: {diffusion: {crop: 50}}}", "datasets.a: diffusion.crop is 50, but must be a multiple of 8"),
        ("datasets: {a: {diffusion: {attention: [3]}}}", "attention names level 3, but channels has levels 0 to 2"),
        ("datasets: {a: {diffusion: {attention: [1, 1]}}}", "attention names a level twice: [1, 1]"),
        ("datasets: {a: {pixels: {timesteps: [1000]}}}", "must stay below diffusion.train_timesteps = 1000"),
        ("datasets: {a: {pixels: {timesteps: [5, 5]}}}", "pixels.timesteps names a timestep twice"),
        ("datasets: {a: {channels: [1, 1]}}", "datasets.a.channels: names a channel twice"),
        ("datasets: {a: {pairs: {n: -1}}}", "datasets.a.pairs.n: input should be greater than or equal to 0, not -1"),
        ("datasets: {a: {pairs: [{n: 1}, {n: -1}]}}", "datasets.a.pairs.1.n: input should be greater"),
        ("datasets: {a: {pairs: {fron: a}}}", "unknown key 'datasets.a.pairs.fron'; did you mean 'from'?"),
        ("datasets: {a: {pairs: [{knd: edit}]}}", "unknown key 'datasets.a.pairs.0.knd'; did you mean 'kind'?"),
        ("datasets: {a: {crowding: 2}}", "unknown key 'datasets.a.crowding'; it belongs under 'pairs'"),
        ("datasets: {a: {pairs: 3}}", "datasets.a.pairs: must be a section such as {n: 64}, or a list of such, not 3"),
        ("datasets: {a: {pairs: {kind: edit}}}", "datasets.a.pairs: kind edit needs `from`"),
        (
            "datasets: {cells: {pairs: {n: 1, layouts_from: cell}}}",
            "datasets.cells.pairs.layouts_from: no dataset 'cell' in this file; did you mean 'cells'?",
        ),
        (
            "datasets: {cells: {pairs: [{n: 1}, {kind: edit, from: x}]}}",
            "datasets.cells.pairs.from: no dataset 'x' in this file; valid are: cells",
        ),
        (
            "datasets: {../a: }",
            "datasets.../a: must be made of letters from A to Z, digits, -, _ and ., and begin with a",
        ),
        ("datasets: {2024: }", 'datasets.2024: the dataset\'s name must be written in quotes, as "2024"'),
        (
            "datasets: {2024-05-01: }",
            'datasets.2024-05-01: the dataset\'s name must be written in quotes, as "2024-05-01"',
        ),
        ("datasets: {no: }", 'datasets.False: the dataset\'s name must be written in quotes, as "no"'),
        (
            "datasets: {a: }\nacross: {words: [1]}",
            'across.words.0: the dataset\'s name must be written in quotes, as "1"',
        ),
        ("datasets: {}", "datasets: must be a section with a line `NAME:` for each folder data/NAME, not {}"),
        ("datasets: [good]", "datasets: must be a section with a line `NAME:` for each folder data/NAME, not ['good']"),
        ("datasets:", "datasets: must be a section with a line `NAME:` for each folder data/NAME, not None"),
        ("datasets: {a: 3}", "datasets.a: must be a section of lines `key: value`, not 3"),
        ("datasets: {a: {channels: 0}}", "datasets.a.channels: must be a list, as in [0], not 0"),
        ("datasets: {a: }\nacross: {words: a}", "across.words: must be a list, as in [a], not 'a'"),
        ("datasets: {a: }\npreset: fast", "preset: input should be 'demo', 'cpu' or 'gpu', not 'fast'"),
        ("datasets: {a: }\ndatasets: {b: }", "key 'datasets' stands twice"),
        ("datasets: [", "is no valid YAML"),
        ("", "holds no keys"),
    ],
)
def test_a_fault_names_file_key_and_remedy(tmp_path, text, told):
    with pytest.raises(UserError) as caught:
        read(tmp_path, text)
    assert told in str(caught.value)
    assert str(tmp_path / "config.yaml") in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path):
    with pytest.raises(UserError) as caught:
        read(tmp_path, "datasets: {a: {n_labels: 0}}\nsead: 3\n")
    assert len(str(caught.value).splitlines()) == 2


def test_pairs_have_a_folder_for_each_section_that_asks_for_some(tmp_path):
    config = read(
        tmp_path, "datasets: {a: {pairs: {n: 3}}, b: {pairs: [{n: 3}, {}, {kind: edit, from: b, n: 2}]}, c: }"
    )
    assert {name: [*pair_settings(config, name)] for name in "abc"} == {
        "a": ["pairs"],
        "b": ["pairs", "pairs-3"],
        "c": [],
    }
    wish = pair_settings(config, "b")["pairs-3"]
    assert (wish.n, wish.source, wish.steps) == (2, "b", PAIR_PRESETS[Preset.demo].steps)


def test_a_missing_file_is_told(tmp_path):
    with pytest.raises(UserError, match=r"nowhere\.yaml: cannot be read"):
        load_config(tmp_path / "nowhere.yaml")


def test_an_unknown_dataset_is_told():
    with pytest.raises(UserError, match="did you mean 'nuclei'"):
        dataset_settings(parse_config({"datasets": {"nuclei": {}}}), "nuclie")


def test_resolve_tells_unknown_presets_sections_and_keys():
    with pytest.raises(UserError, match="did you mean 'gpu'"):
        resolve("gpuu")
    with pytest.raises(UserError, match="unknown key 'difusion'; did you mean 'diffusion'"):
        resolve("cpu", {"difusion": {"steps": 1}})
    with pytest.raises(UserError, match=r"unknown key 'pixels\.member'; did you mean 'members'"):
        resolve("cpu", {"pixels": {"member": 1}})


def test_set_options_are_json_or_a_bare_word():
    assert parse_set(["diffusion.steps=200", "diffusion.channels=[16,32]", "diffusion.betas=cosine"]) == {
        "diffusion": {"steps": 200, "channels": [16, 32], "betas": "cosine"}
    }
    assert parse_set(["pixels.steps=1", "pixels.steps=2", "segment.flips=true"]) == {
        "pixels": {"steps": 2},
        "segment": {"flips": True},
    }


@pytest.mark.parametrize("item", ["steps=3", "diffusion.steps", "diffusion.=3", "diffusion.channels=[16,"])
def test_unreadable_set_options_are_told(item):
    with pytest.raises(UserError, match="--set"):
        parse_set([item])


@given(
    preset=st.sampled_from(Preset),
    steps=st.integers(1, 10**6),
    rate=st.floats(1e-6, 1),
    flips=st.booleans(),
    widths=st.lists(st.integers(1, 32).map(lambda width: 8 * width), min_size=1, max_size=3),
)
def test_command_line_options_give_the_same_settings_again(preset, steps, rate, flips, widths):
    overrides = {"diffusion": {"steps": steps, "learning_rate": rate, "channels": widths}, "segment": {"flips": flips}}
    settings = resolve(preset, overrides)
    options = cli_options(settings, preset)
    assert options[:2] == ["--preset", preset.value]
    assert set(options[2::2]) <= {"--set"}
    assert resolve(preset, parse_set(options[3::2])) == settings


def test_a_preset_needs_no_options():
    for preset in Preset:
        assert cli_options(PRESETS[preset], preset) == ["--preset", preset.value]


def test_what_is_learned_across_datasets_is_of_those_there_are(tmp_path):
    text = "preset: cpu\ndatasets: {a: , b: }\nacross:\n  words: [b, a]\n  conditions: {steps: 7, channels: [8]}\n"
    config = read(tmp_path, text)
    assert config.across.words == ("b", "a")
    assert across_options(config) == [
        *("--preset", "cpu"),
        *("--set", "conditions.steps=7"),
        *("--set", "conditions.channels=[8]"),
    ]
    with pytest.raises(UserError, match=r"across\.few_shot: no dataset 'aa'; did you mean 'a'"):
        parse_config({"datasets": {"a": None}, "across": {"few_shot": ["aa"]}})
    with pytest.raises(UserError, match=r"datasets\.across: this name is taken"):
        parse_config({"datasets": {"across": None}})
