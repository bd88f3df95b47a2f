import pytest
from pydantic import ValidationError
from typer import BadParameter
from typer.main import get_command

from fewstain.cli.run import app
from fewstain.pair_settings import PairSettings, as_sections


@pytest.mark.parametrize("also", [{"kind": "image"}, {"crowding": 1.5}, {"count": 3}])
def test_layouts_that_were_drawn_are_painted_as_they_are(also):
    with pytest.raises(ValidationError, match="layouts are painted as they are given"):
        PairSettings(n=4, layouts="drawn", **also)


def test_layouts_that_were_drawn_become_an_option():
    options = PairSettings(n=4, layouts="drawn").options()
    assert options[options.index("--layouts") + 1] == "drawn"
    assert "--layouts" not in PairSettings(n=4).options()


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"layouts": "drawn", "layouts_from": "other"}, "layouts and layouts_from: give one of the two"),
        ({"layouts_from": "other", "kind": "image"}, "layouts_from: only pairs of kind layout"),
        ({"kind": "edit"}, "kind edit needs `from`"),
        ({"from": "other"}, "leave it out, or add kind: edit"),
        ({"strength": 0.4}, "strength: only kind edit repaints"),
        ({"kind": "edit", "from": "other", "crowding": 2}, "crowding and count: only sampled layouts"),
        ({"kind": "image", "count": 2}, "crowding and count: only sampled layouts"),
        ({"kind": "image", "size": 2}, "size: only the objects of sampled layouts"),
        ({"kind": "edit", "from": "other", "strength": 1.5}, "less than or equal to 1"),
    ],
)
def test_what_does_not_go_together_is_told(wish, told):
    with pytest.raises(ValidationError, match=told):
        PairSettings.model_validate(wish)


def test_the_strength_of_an_edit_becomes_an_option_and_the_dataset_is_named():
    wish = PairSettings.model_validate({"kind": "edit", "from": "other", "strength": 0.0, "size": 1.5})
    assert wish.options()[-2:] == ["--strength", "0.0"]
    assert wish.others() == {"from": "other"}
    assert PairSettings(layouts_from="other").others() == {"layouts_from": "other"}
    assert not PairSettings().others()


def test_one_section_is_a_list_of_one():
    assert as_sections({"n": 1}) == [{"n": 1}]
    assert as_sections([{"n": 1}, {"n": 2}]) == [{"n": 1}, {"n": 2}]
    with pytest.raises(ValueError, match="must be a section such as"):
        as_sections(3)


def parsed(verb, options):
    """Values that a verb of the command line reads from options."""
    command = get_command(app).commands[verb]
    return command.make_context(verb, ["results", "--out", "pairs", *options]).params


LEAST = {"n": 1, "side": 16, "steps": 1, "batch_size": 1}
KINDS = [
    {"kind": "layout"},
    {"kind": "layout", "crowding": 0.01, "size": 0.25, "count": 1, "layouts_from": "other"},
    {"kind": "layout", "size": 4, "crowding": 1e6, "count": 1000},
    {"kind": "layout", "layouts": "drawn"},
    {"kind": "image"},
    {"kind": "edit", "from": "other", "strength": 0, "size": 0.25},
    {"kind": "edit", "from": "other", "strength": 1, "size": 4},
]


@pytest.mark.parametrize("wish", KINDS)
def test_the_command_takes_all_that_the_config_takes(wish):
    settings = PairSettings.model_validate(LEAST | wish)
    read = parsed("pairs", settings.options())
    for key in ("n", "kind", "side", "steps", "batch_size", "crowding", "size", "count"):
        assert read[key] == getattr(settings, key)
    assert str(read["layouts"]) == str(settings.layouts)
    assert read["strength"] == (0.4 if settings.strength is None else settings.strength)


@pytest.mark.parametrize("kind", [{"kind": "layout"}, {"kind": "image"}, {"kind": "edit", "from": "other"}])
@pytest.mark.parametrize(
    ("keep", "agreement", "distance"), [(None, None, None), (0.001, 0, 0), (1, 1, 1e9), (0.5, None, 1e-9)]
)
def test_gathering_takes_all_filters_that_the_config_takes(kind, keep, agreement, distance):
    limits = {"keep": keep, "min_agreement": agreement, "max_distance": distance}
    read = parsed("gather-pairs", PairSettings.model_validate(kind | limits).filter_options())
    asked = None if kind["kind"] == "image" else agreement
    assert (read["keep"], read["agreement"], read["distance"]) == (keep, asked, distance)


@pytest.mark.parametrize(
    ("verb", "key", "value"),
    [
        ("pairs", "crowding", 0.005),
        ("gather-pairs", "keep", 0.0005),
        ("gather-pairs", "max_distance", -1.0),
        ("gather-pairs", "min_agreement", 1.5),
    ],
)
def test_what_the_command_refuses_the_config_refuses(verb, key, value):
    with pytest.raises(BadParameter, match="than or equal to"):
        parsed(verb, [f"--{key.replace('_', '-')}", str(value)])
    with pytest.raises(ValidationError, match="than or equal to"):
        PairSettings.model_validate({key: value})
