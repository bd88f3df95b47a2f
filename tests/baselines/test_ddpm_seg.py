import numpy as np
import pytest
import torch

from fewstain.baselines.ddpm_seg import (
    DdpmSeg,
    instances_of_classes,
    published_blocks,
    published_timesteps,
    train_classifier,
)
from fewstain.diffusion.network import build_denoiser
from fewstain.pixels.features import block_names
from fewstain.pixels.labeled_window import label_window
from fewstain.settings import DiffusionSettings, SegmentSettings


def test_each_interior_becomes_an_object_with_the_boundary_around_it():
    classes = np.array(
        [
            [0, 1, 1, 1, 1, 1, 0],
            [0, 1, 2, 1, 2, 1, 0],
            [0, 1, 1, 1, 1, 1, 0],
            [0, 0, 0, 0, 0, 0, 0],
            [1, 1, 0, 0, 0, 2, 0],
        ]
    )
    found = instances_of_classes(classes)
    assert found[1, 1] == found[1, 2] == 1
    assert found[1, 4] == found[1, 5] == 2
    assert found[4, 5] == 3
    assert (found[4, :2] == 0).all()  # a boundary without an interior
    assert ((found > 0) == (classes > 0))[:4].all()
    assert instances_of_classes(classes, least_area=2).max() == 2
    assert instances_of_classes(np.zeros((3, 3), int)).max() == 0


def test_timesteps_and_blocks_lie_where_the_published_ones_do():
    assert published_timesteps(1000) == (50, 150, 250)
    assert published_timesteps(100) == (5, 15, 25)
    # six levels of three blocks, as theirs: blocks 5, 6, 7, 8 and 12
    deep = build_denoiser(DiffusionSettings(channels=(8,) * 6, layers_per_block=2), 1)
    names = block_names(deep)
    assert published_blocks(deep) == tuple(names[1 + block] for block in (5, 6, 7, 8, 12))
    small = build_denoiser(DiffusionSettings(channels=(8, 8, 8)), 1)
    assert published_blocks(small) == ("up0.1", "up1.0", "up2.0")


def test_a_classifier_learns_what_can_be_learned():
    torch.manual_seed(0)
    features = torch.randn(600, 4).half()
    classes = (features[:, 0] > 0).long() * 2
    classifier = train_classifier(features, classes, most_epochs=8)
    assert (classifier(features.float()).argmax(1) == classes).float().mean() > 0.95


@pytest.fixture(scope="module")
def fitted():
    torch.manual_seed(0)
    denoiser = build_denoiser(DiffusionSettings(channels=(8,), unshuffle=1), 1).eval()
    labels = np.zeros((16, 16), np.int32)
    labels[4:10, 4:12] = 1
    image = np.where(labels > 0, 0.9, -0.9)[None].astype(np.float32)
    window = label_window(image, labels, (0, 0), "a", "a", 1)
    return DdpmSeg(denoiser, members=2, most_epochs=6, settings=SegmentSettings(tile=32, overlap=8)).fit(
        [window]
    ), image


def test_members_vote_and_small_objects_are_dropped(fitted):
    seg, image = fitted
    assert len(seg.classifiers) == 2
    assert seg.least_area == 24  # half of the labeled object's 48 pixels
    found = seg.find(image)
    assert found.shape == (16, 16)
    assert found.dtype == np.int32
    assert all(area >= 24 for area in np.bincount(found.ravel())[1:])
    assert seg.find(np.pad(image, ((0, 0), (0, 40), (0, 21)), mode="edge")).shape == (56, 37)
