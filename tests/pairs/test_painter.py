import json

import numpy as np
import pytest
import torch

from fewstain.cli.run import run
from fewstain.dataset import open_dataset
from fewstain.diffusion.state import STATE_FILE
from fewstain.errors import UserError
from fewstain.layout import layout_planes
from fewstain.pairs.painter import open_painter
from fewstain.pairs.painter_training import train_painter
from fewstain.storage import sha256_file

from .painted_discs import LAYOUTS, PAINTER, discs_of


def weights(folder):
    return {path.relative_to(folder).as_posix(): sha256_file(path) for path in folder.rglob("*.safetensors")}


def test_the_painter_has_its_three_parts_and_says_what_it_was_made_from(stain):
    painter = stain / "results" / "painter"
    assert {path.name for path in painter.iterdir()} == {"layouts", "diffusion", "control", "painter.json"}
    record = json.loads((painter / "painter.json").read_text())
    assert (record["masks"], record["labels"]) == (8, 2)
    assert not list(stain.glob("painter_state/*/pool.f16"))


def test_the_painters_denoiser_predicts_velocity_and_has_learned_on_from_the_first(stain):
    opened = open_painter(stain / "results")
    assert opened.denoiser.scheduler.config["prediction_type"] == "v_prediction"
    first = sha256_file(stain / "results" / "diffusion" / "unet" / "diffusion_pytorch_model.safetensors")
    assert first not in weights(stain / "results" / "painter").values()


def test_a_training_that_was_stopped_gives_the_same_painter(stain, monkeypatch):
    results, state = stain / "results", stain / "stopped_state"
    expected = weights(results / "painter")
    arguments = (results, open_dataset(stain / "data"), state)

    def stop(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("fewstain.pairs.painter_training.train_images", stop)
        with pytest.raises(KeyboardInterrupt):
            train_painter(*arguments, LAYOUTS, PAINTER)
    assert (state / "layouts" / STATE_FILE).is_file()
    assert weights(results / "painter") == expected  # the old one stays until the new one is whole
    train_painter(*arguments, LAYOUTS, PAINTER)
    assert weights(results / "painter") == expected


def test_what_is_painted_depends_on_seed_and_number_and_layout_only(stain):
    painter = open_painter(stain / "results")
    first, second = (discs_of(np.random.default_rng(seed)) for seed in (1, 2))
    both = painter.paint([first, second], [5, 6], seed=3, steps=2)
    alone = painter.paint([second], [6], seed=3, steps=2)
    torch.testing.assert_close(alone[0], both[1], rtol=1e-4, atol=1e-4)
    other = painter.paint([second], [7], seed=3, steps=2)
    assert (other - alone).abs().max() > 0.01


def test_a_dropped_layout_leaves_the_denoiser_by_itself(stain):
    from fewstain.pairs.painter import PainterNetwork

    opened = open_painter(stain / "results")
    network = PainterNetwork(opened.denoiser, opened.control)
    noisy, timestep = torch.randn(2, 1, 32, 32), torch.tensor([300, 300])
    condition = torch.from_numpy(np.stack([layout_planes(discs_of(np.random.default_rng(0)))] * 2))
    with torch.inference_mode():
        mixed = network.following(condition, torch.tensor([True, False]))(noisy, timestep)
        followed = network.following(condition, torch.tensor([True, True]))(noisy, timestep)
        by_itself = opened.denoiser(noisy, timestep)
    torch.testing.assert_close(mixed[1], by_itself[1])
    torch.testing.assert_close(mixed[0], followed[0])
    assert (followed[1] - by_itself[1]).abs().max() > 1e-4


def test_without_masks_the_user_is_told_to_segment_first(unpainted, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "diffusion").symlink_to(unpainted / "results" / "diffusion")
    with pytest.raises(UserError, match="masks: no such folder; run `fewstain segment"):
        train_painter(tmp_path / "results", open_dataset(unpainted / "data"), tmp_path / "state", LAYOUTS, PAINTER)


@pytest.mark.parametrize(("options", "labels"), [((), ["0", "1"]), (("--n-labels", "1"), ["0"])])
def test_only_the_first_label_files_are_learned_from(unpainted, tmp_path, monkeypatch, options, labels):
    seen = []

    def stop(windows, *_, **__):
        seen.extend(windows)
        raise UserError("enough")

    monkeypatch.setattr("fewstain.pairs.painter_training.train_layouts", stop)
    assert run(["train-painter", str(unpainted / "results"), "--state", str(tmp_path), *options]) == 2
    assert len(seen) == 8 + len(labels)
    drawn = [window.name for window in seen if window.labels.is_relative_to(unpainted / "data" / "labels")]
    assert drawn == labels
