import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from fewstain.baselines import mae_training
from fewstain.baselines.mae import Mae, MaeSettings
from fewstain.baselines.mae_training import train_mae
from fewstain.baselines.pool_training import read_pretrained, within_seconds
from fewstain.dataset import open_dataset
from fewstain.images.write import write_image
from fewstain.settings import TrainingSettings
from fewstain.storage import write_json

TINY = MaeSettings(
    crop=16,
    patch=4,
    hidden=8,
    layers=1,
    heads=2,
    decoder_hidden=8,
    decoder_layers=1,
    batch_size=2,
    steps=4,
    warmup_steps=1,
    checkpoint_seconds=0,
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    root = tmp_path_factory.mktemp("cells")
    pixels = np.random.default_rng(0).integers(0, 255, (24, 32), dtype=np.uint8)
    write_image(root / "images" / "a.tif", pixels)
    return open_dataset(root)


def test_a_training_that_is_killed_ends_with_the_same_weights(dataset, tmp_path, monkeypatch):
    train_mae(dataset, tmp_path / "whole", tmp_path / "state", TINY, seed=3)
    loss, calls = Mae.loss, []

    def killed(self, images, generator):
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("killed")
        return loss(self, images, generator)

    with monkeypatch.context() as patch:
        patch.setattr(mae_training.Mae, "loss", killed)
        with pytest.raises(RuntimeError, match="killed"):
            train_mae(dataset, tmp_path / "resumed", tmp_path / "other-state", TINY, seed=3)
    assert not (tmp_path / "resumed").exists()
    train_mae(dataset, tmp_path / "resumed", tmp_path / "other-state", TINY, seed=3)
    first, second = (load_file(tmp_path / name / "mae.safetensors") for name in ("whole", "resumed"))
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert len((tmp_path / "whole" / "loss.csv").read_text().splitlines()) == 5
    told = read_pretrained(tmp_path / "whole")
    assert told.channels == (0,)
    assert told.wall_seconds > 0


def test_a_time_becomes_steps_once(tmp_path):
    trained = []

    def train(out, state, settings):
        trained.append(settings.steps)
        write_json(out / "fewstain.json", {"images_per_second": 40.0})

    settings = TrainingSettings(batch_size=8, steps=1)
    for _ in range(2):  # the second time it goes on with what the first measured
        assert within_seconds(train, settings, 60.0, tmp_path).steps == 300
    assert trained == [20, 20]
    assert within_seconds(train, settings, 30.0, tmp_path).steps == 150
    assert [path.name for path in tmp_path.iterdir()] == ["budget.json"]


def test_neither_slow_first_steps_nor_a_part_of_a_period_count(tmp_path):
    """A training whose first run is cold, and of whose steps 0, 16, 32, … take four times as long as the others."""
    trained = []

    def train(out, state, settings):
        trained.append(settings.steps)
        seconds = 0.25 * settings.steps + 0.75 * len(range(0, settings.steps, 16)) + 50 * (len(trained) == 1)
        write_json(out / "fewstain.json", {"images_per_second": 8 * settings.steps / seconds})

    settings = TrainingSettings(batch_size=8, steps=1)
    assert within_seconds(train, settings, 475.0, tmp_path, period=16).steps == 1600
    assert trained == [32, 32]
