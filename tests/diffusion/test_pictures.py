from pathlib import Path

import pytest

from fewstain.diffusion.pictures import check_outputs
from fewstain.errors import UserError


@pytest.mark.parametrize("other", ["a.png", "A.tif"])
def test_results_of_one_name_are_refused(other):
    with pytest.raises(UserError, match=f"{other}: its result would have the same name as that of .*a.tif"):
        check_outputs([Path("images/a.tif"), Path("images/b.tif"), Path("images") / other], Path("out"))
