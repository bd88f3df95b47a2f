import pytest
from pydantic import ValidationError

from fewstain.pair_settings import PairSettings


@pytest.mark.parametrize("also", [{"kind": "image"}, {"crowding": 1.5}, {"count": 3}])
def test_layouts_that_were_drawn_are_painted_as_they_are(also):
    with pytest.raises(ValidationError, match="layouts are painted as they are given"):
        PairSettings(n=4, layouts="drawn", **also)


def test_layouts_that_were_drawn_become_an_option():
    options = PairSettings(n=4, layouts="drawn").options()
    assert options[options.index("--layouts") + 1] == "drawn"
    assert "--layouts" not in PairSettings(n=4).options()
