import errno
import os

import numpy as np
import pytest

from fewstain.errors import UserError
from fewstain.pixels.planes import zeros


@pytest.mark.parametrize("on_disk", [False, True])
def test_planes_keep_what_is_written(tmp_path, on_disk):
    planes = zeros((2, 300, 5), np.float16, tmp_path / "new" if on_disk else None)
    assert (planes.mapping is not None) == on_disk
    assert not planes.array.any()
    planes.array[1, 299] = 7
    planes.release()
    assert planes.array[1, 299].tolist() == [7] * 5
    assert planes.array.sum(dtype=int) == 35


@pytest.mark.skipif(os.name != "posix", reason="Windows deletes the file when it is closed")
def test_the_file_has_no_name_that_could_stay_behind(tmp_path):
    planes = zeros((4, 4), np.int32, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert planes.array.shape == (4, 4)


@pytest.mark.skipif(not hasattr(os, "posix_fallocate"), reason="no way to reserve space in one call")
def test_a_full_disk_is_told_before_anything_is_computed(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match="no space left"):
        zeros((4, 4), np.int32, tmp_path)
