import numpy as np
import pytest

from fewstain.benchmark.interface import Trial
from fewstain.dataset import open_dataset
from fewstain.images.write import write_image
from fewstain.settings import Settings


@pytest.mark.parametrize("rgb", [True, False])
def test_the_normaliser_is_told_what_the_files_tell_of_colours(tmp_path, rgb):
    for name in "ab":
        write_image(tmp_path / "images" / f"{name}.tif", np.zeros((8, 8, 3), np.uint8), rgb=rgb)
    trial = Trial(open_dataset(tmp_path), tmp_path, tmp_path, Settings.model_construct(), seed=0)
    assert trial.normaliser().joint == rgb


def test_a_training_for_a_decoder_alone_takes_its_share_of_either_budget(tmp_path):
    def budget(share, **given):
        return Trial(None, tmp_path, tmp_path, None, 0, **given).budget(share)

    assert budget(0.25, steps=800) == {"steps": 200}
    assert budget(0.25, steps=1) == {"steps": 1}
    assert budget(0.25, seconds=60.0) == {"seconds": 15.0}
