import pytest
from pydantic import ValidationError

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
