import contextlib
import csv
import hashlib
from dataclasses import replace

import imageio.v3 as imageio
import numpy as np
import pytest
import torch

from fewstain.diffusion.record import (
    DenoiserRecord,
    check_image_kind,
    check_weights,
    read_record,
    write_losses,
    write_samples,
)
from fewstain.errors import UserError
from fewstain.images.normalise import Normaliser

RECORD = DenoiserRecord(
    normaliser=Normaliser(floor=(3.0, 4.0)),
    channels=(0, 2),
    image_channels=2,
    dtype="uint16",
    pool=({"name": "a.tif", "sha256": "12"},),
    settings={"steps": 3},
    seed=0,
    steps=3,
    wall_seconds=1.5,
    images_per_second=32.0,
    peak_memory_bytes=10**9,
    device="cpu",
    precision="no",
    version="0.1.0",
)


def test_record_comes_back(tmp_path):
    RECORD.write(tmp_path)
    assert read_record(tmp_path) == RECORD


@pytest.mark.parametrize("content", ["{}", "[]", '{"normaliser": 3}', "not json"])
def test_a_foreign_record_is_told(tmp_path, content):
    (tmp_path / "fewstain.json").write_text(content)
    with pytest.raises(UserError, match=r"fewstain\.json"):
        read_record(tmp_path)


@pytest.mark.parametrize(
    ("channels", "dtype", "fits"), [(3, "uint16", True), (3, ">u2", True), (4, "uint16", False), (3, "uint8", False)]
)
def test_images_of_another_kind_are_told(tmp_path, channels, dtype, fits):
    record = replace(RECORD, file_channels=3)
    told = contextlib.nullcontext() if fits else pytest.raises(UserError, match=r"a\.tif: . channels.*of 3 channels")
    with told:
        check_image_kind(tmp_path, record, tmp_path / "a.tif", channels, np.dtype(dtype))


def test_altered_weights_are_told(tmp_path):
    weights = tmp_path / "unet" / "diffusion_pytorch_model.safetensors"
    weights.parent.mkdir()
    weights.write_bytes(b"weights")
    record = replace(RECORD, weights_sha256=hashlib.sha256(b"weights").hexdigest())
    check_weights(tmp_path, record)
    weights.write_bytes(b"Weights")
    with pytest.raises(UserError, match="not the weights"):
        check_weights(tmp_path, record)


def test_losses_count_from_one(tmp_path):
    write_losses(tmp_path, [0.5, 0.25])
    assert list(csv.reader((tmp_path / "loss.csv").open())) == [["step", "loss"], ["1", "0.5"], ["2", "0.25"]]


@pytest.mark.parametrize(("channels", "shape"), [(1, (4, 4)), (2, (4, 4)), (3, (4, 4, 3)), (5, (4, 4, 3))])
def test_samples_are_a_grid(tmp_path, channels, shape):
    images = torch.stack([torch.full((channels, 2, 2), value) for value in (-1.0, 0.0, 1.0)])
    write_samples(tmp_path, images)
    grid = imageio.imread(tmp_path / "samples.png")
    assert grid.shape == shape
    corners = grid.reshape(4, 4, -1)[::2, ::2, 0]
    np.testing.assert_array_equal(corners, [[0, 128], [255, 0]])
