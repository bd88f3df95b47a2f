import shutil
import sys

import imageio.v3 as imageio
import numpy as np
import pytest
import torch
from torch.nn.functional import avg_pool2d, interpolate

from fewstain.dataset import Dataset, open_dataset
from fewstain.demo import write_demo
from fewstain.diffusion.latent.reconstruction import psnr, ssim
from fewstain.diffusion.latent.vae_training import open_vae, train_vae
from fewstain.diffusion.pictures import read_picture
from fewstain.diffusion.pool import Pool
from fewstain.diffusion.pool_index import build_pool
from fewstain.errors import UserError
from fewstain.settings import VaeSettings

WEIGHTS = "vae/diffusion_pytorch_model.safetensors"


@pytest.mark.skipif(sys.platform != "linux", reason="needs signals and fork")
def test_killed_it_ends_with_the_same_weights(tmp_path, make_dataset, vae_settings, in_a_process, killed_twice):
    dataset = make_dataset(tmp_path / "data")
    state = tmp_path / "state"
    in_a_process(train_vae, (dataset, tmp_path / "straight", tmp_path / "other", vae_settings))
    killed_twice(train_vae, (dataset, tmp_path / "killed", state, vae_settings), state / "state.safetensors")
    for name in (WEIGHTS, "loss.csv", "reconstructions.png"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "straight" / name).read_bytes()
    assert not list(tmp_path.rglob(".*"))


def test_what_is_written(trained):
    folder = trained / "vae"
    assert sorted(path.name for path in folder.iterdir()) == ["fewstain.json", "loss.csv", "reconstructions.png", "vae"]
    vae, record = open_vae(folder)
    assert (vae.image_channels, vae.latent_channels, vae.factor) == (1, 3, 4)
    assert (record.channels, record.image_channels, record.dtype, record.steps) == ((0,), 1, "uint16", 12)
    assert [image["name"] for image in record.pool] == ["0.tif", "1.tif"]
    assert imageio.imread(folder / "reconstructions.png").shape == (2 * 32, 8 * 32)
    assert sorted(path.name for path in (trained / "vae-state").iterdir()) == ["pool.json", "state.safetensors"]


def test_a_finished_training_only_writes_its_results_again(trained, tmp_path, vae_settings, capsys):
    shutil.copytree(trained, tmp_path / "again")
    dataset = open_dataset(tmp_path / "again" / "data")
    before = (tmp_path / "again" / "vae" / WEIGHTS).read_bytes()
    shutil.rmtree(tmp_path / "again" / "vae")
    train_vae(dataset, tmp_path / "again" / "vae", tmp_path / "again" / "vae-state", vae_settings)
    assert "training" not in capsys.readouterr().err
    assert (tmp_path / "again" / "vae" / WEIGHTS).read_bytes() == before


def test_images_never_seen_come_back(tmp_path, make_dataset):
    """Two images are learned from, and a third comes back better than from its means over 4 x 4 pixels."""
    settings = VaeSettings(
        channels=(16, 32), crop=32, batch_size=4, steps=80, warmup_steps=10, learning_rate=4e-3, ema_decay=0.9
    )
    dataset = make_dataset(tmp_path / "data", sizes=((96, 96), (96, 96), (64, 64)))
    seen = Dataset(dataset.root, dataset.images[:2], (), ())
    train_vae(seen, tmp_path / "out", tmp_path / "state", settings)
    vae = open_vae(tmp_path / "out")[0]
    index = build_pool(tmp_path / "test", dataset.images[2:], None)
    images = Pool(tmp_path / "test", index, torch.device("cpu")).crops(8, 64, np.random.default_rng(0))
    coarse = interpolate(avg_pool2d(images, 4), scale_factor=4, mode="bicubic")
    assert psnr(images, vae.decode(vae.encode(images))) > psnr(images, coarse) + 2


@pytest.mark.parametrize(("stain", "decibels", "likeness"), [("demo", 28, 0.6), ("histology", 34, 0.89)])
def test_real_test_images_come_back_above_the_stated_bound(tmp_path, request, stain, decibels, likeness):
    """The bounds of docs/diffusion.md are held after as few as 60 steps; what is lost of the demo's is its noise."""
    if stain == "demo":
        pytest.importorskip("mahotas")
        root = write_demo(tmp_path / "demo")[0]
    else:
        root = request.getfixturevalue("shared_data") / stain
    settings = VaeSettings(crop=32, batch_size=4, steps=60, warmup_steps=10, ema_decay=0.9)
    dataset = open_dataset(root)
    train_vae(dataset, tmp_path / "out", tmp_path / "state", settings)
    vae, record = open_vae(tmp_path / "out")
    images = [read_picture(tmp_path / "out", record, each.image).planes[..., :256, :224] for each in dataset.test]
    again = [vae.decode(vae.encode(image)) for image in images]
    assert np.mean([psnr(*pair) for pair in zip(images, again, strict=True)]) >= decibels
    assert np.mean([ssim(*pair) for pair in zip(images, again, strict=True)]) >= likeness


def test_changes_are_told(trained, tmp_path, vae_settings):
    shutil.copytree(trained / "data", tmp_path / "data")
    shutil.copytree(trained / "vae-state", tmp_path / "state")
    dataset = open_dataset(tmp_path / "data")
    with pytest.raises(UserError, match=r"vae\.kl_weight was 0\.0001, is 0\.5"):
        train_vae(dataset, tmp_path / "out", tmp_path / "state", vae_settings.model_copy(update={"kl_weight": 0.5}))


def test_a_crop_or_folder_that_cannot_be_is_told_before_training(trained, tmp_path, vae_settings):
    dataset = open_dataset(trained / "data")
    with pytest.raises(UserError, match=r"vae\.crop is 34; this network needs a multiple of 4"):
        train_vae(dataset, tmp_path / "out", tmp_path / "state", vae_settings.model_copy(update={"crop": 34}))
    with pytest.raises(UserError, match=r"'s\w+(\.\w+)?', which is no part of a VAE"):
        train_vae(dataset, trained / "latent", tmp_path / "state", vae_settings)
    assert not (tmp_path / "state").exists()


def test_altered_weights_and_records_of_another_kind_are_told(trained, tmp_path):
    shutil.copytree(trained / "vae", tmp_path / "vae")
    weights = tmp_path / "vae" / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(UserError, match=r"not the weights that fewstain\.json tells of"):
        open_vae(tmp_path / "vae")
    with pytest.raises(UserError, match="not a VAE's record"):
        open_vae(trained / "latent")
