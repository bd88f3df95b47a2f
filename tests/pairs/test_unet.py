import pytest
import torch

import fewstain
from fewstain.dataset import open_dataset
from fewstain.errors import UserError
from fewstain.overrides import resolve
from fewstain.pairs.joint import JointPredictor
from fewstain.pairs.method import Method
from fewstain.pairs.segmenter import SegmenterPredictor
from fewstain.pairs.segmenter_fit import train_segmenter
from fewstain.pairs.unet import LabelUNet
from fewstain.settings import Preset, SegmenterNetwork

NARROW = (8, 8, 8, 8, 16, 8)


def test_logits_of_classes_and_distance_at_every_pixel():
    unet = LabelUNet(2, 3, NARROW)
    assert (unet.multiple, unet.classes) == (16, 3)
    assert unet(torch.zeros(2, 2, 32, 48)).shape == (2, 4, 32, 48)
    found = SegmenterPredictor(unet)(torch.rand(1, 2, 13, 18) * 2 - 1, (0, 0))
    assert found.probabilities.shape == (1, 3, 13, 18)


def test_it_is_trained_beside_the_ensemble_and_segments_with_it(fitted, tmp_path, segmenter_settings, discs):
    chosen = {"network": SegmenterNetwork.unet, "features": NARROW}
    settings = segmenter_settings.model_copy(update=chosen)
    results = tmp_path / "results"
    results.mkdir()
    for part in ("diffusion", "pixels"):
        (results / part).symlink_to(fitted / "results" / part)
    dataset = open_dataset(fitted / "data")
    record = train_segmenter(results, dataset, results / "segmenter", tmp_path / "state", settings, seed=3)
    assert record.out_of_fold["segmenter"]["AP50"] > 0.5  # 40 steps are enough for discs
    both, alone = (fewstain.load(results, "cpu", method) for method in (Method.both, Method.segmenter))
    assert isinstance(both.predictor, JointPredictor)
    assert isinstance(alone.predictor.segmenter, LabelUNet)
    assert alone.segment(discs(8)[0]).labels.max() > 2


def test_a_crop_that_it_cannot_halve_four_times_is_refused():
    with pytest.raises(
        UserError, match=r"segmenter\.crop is 72, but must be a multiple of 16, or segmenter\.network be"
    ):
        resolve(Preset.cpu, {"segmenter": {"crop": 72, "network": "unet"}}, "config.yaml")
    assert resolve(Preset.cpu, {"segmenter": {"crop": 72}}, "config.yaml").segmenter.crop == 72
