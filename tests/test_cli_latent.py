"""train-vae, train-diffusion --vae and what paints with the result, from the command line."""

import numpy as np
import pytest
import tifffile

from fewstain.cli import run as cli
from fewstain.images.write import write_image

VAE_WORDS = ("vae.channels=[8,8]", "vae.crop=16", "vae.batch_size=2", "vae.steps=2", "vae.latent_channels=3")
LATENT_WORDS = ("diffusion.channels=[8]", "diffusion.crop=16", "diffusion.batch_size=2", "diffusion.steps=2")


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """Folder with a dataset, data, a VAE of it, vae, and a denoiser of its latents, latent."""
    folder = tmp_path_factory.mktemp("latent")
    pixels = np.random.default_rng(0).integers(100, 5000, (32, 40, 2)).astype(np.uint16)
    write_image(folder / "data" / "images" / "cells.tif", pixels)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ACCELERATE_MIXED_PRECISION", "no")
        assert train(folder, "train-vae", "vae", *VAE_WORDS) == 0
        words = (*LATENT_WORDS, "diffusion.samples=2", "diffusion.sample_steps=2", "diffusion.train_timesteps=50")
        assert train(folder, "train-diffusion", "latent", *words, options=("--vae", folder / "vae")) == 0
    return folder


def train(folder, verb, out, *changes, options=()):
    words = [verb, folder / "data", "--out", folder / out, "--state", folder / f"{out}-state", *options]
    return cli.run([*map(str, words), *(word for change in changes for word in ("--set", change))])


def test_train_vae_tells_how_well_images_come_back(trained, capsys):
    assert train(trained, "train-vae", "vae", *VAE_WORDS) == 0
    assert "images come back at a PSNR of " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("size", "shape"), [((), (2, 16, 16)), (("--size", "24"), (2, 24, 24)), (("--size", "16x40"), (2, 16, 40))]
)
def test_sample_paints_any_size(trained, tmp_path, size, shape):
    words = ["sample", trained / "latent", "--out", tmp_path, "-n", 2, "--steps", 2, *size]
    assert cli.run(list(map(str, words))) == 0
    images = [tifffile.imread(tmp_path / f"sample-000{number}.tif") for number in range(2)]
    assert [image.shape for image in images] == [shape] * 2
    words = ["sample", trained / "latent", "--out", tmp_path / "again", "--noise", tmp_path / "noise.safetensors"]
    assert cli.run([*map(str, words), "--steps", "2"]) == 0
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "again" / "sample-0000.tif"), images[0])


@pytest.mark.parametrize("verb", ["edit", "invert", "branch", "interpolate"])
def test_what_else_paints_takes_it_too(trained, tmp_path, verb):
    images = [trained / "data" / "images" / "cells.tif"] if verb in ("edit", "invert") else ["--size", "8x12"]
    assert cli.run([verb, *map(str, (trained / "latent", *images, "--out", tmp_path / "out", "--steps", 3))]) == 0
    assert list((tmp_path / "out").glob("*.png"))


@pytest.mark.parametrize("verb", ["noise", "adapt"])
def test_what_needs_pixels_says_what_would_be_right(trained, tmp_path, capsys, verb):
    rest = trained / "data" if verb == "adapt" else trained / "data" / "images" / "cells.tif"
    assert cli.run([verb, *map(str, (trained / "latent", rest, "--out", tmp_path / "out"))]) == 2
    told = " ".join(capsys.readouterr().err.split())
    assert "holds a denoiser of latents, which takes no pixels as they are; for this, give one that" in told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--size", "30"), "30 x 30 pixels; this denoiser needs multiples of 4, as 28 x 28"),
        (("--size", "16x"), "--size 16x: write a side in pixels, as in 64, or rows and columns, as in 64x96"),
        (("--size", "0"), "--size 0: write a side"),
        (("--adapter", "somewhere"), "give one that train-diffusion made without --vae"),
    ],
)
def test_wrong_wishes_are_told(trained, tmp_path, capsys, words, told):
    assert cli.run(["sample", str(trained / "latent"), "--out", str(tmp_path / "out"), *words]) == 2
    assert told in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "out").exists()


def test_settings_of_the_other_training_have_no_effect_and_are_told(trained, tmp_path, capsys):
    assert train(trained, "train-vae", "x", "diffusion.crop=16") == 2
    assert "this verb takes vae.* only" in capsys.readouterr().err
    assert train(trained, "train-diffusion", "x", "vae.crop=16", options=("--vae", trained / "vae")) == 2
    assert "this verb takes diffusion.* only" in capsys.readouterr().err


def test_a_folder_without_a_vae_is_told(trained, capsys):
    assert train(trained, "train-diffusion", "x", *LATENT_WORDS, options=("--vae", trained / "data")) == 2
    assert "holds no VAE; run train-vae first" in capsys.readouterr().err
